# Questions about the 80 classes of COCO, by the paper's model and prompts (section 3.1): 50 of 100, for detectors.
# OPENAI_API_KEY=... python tools/write_questions.py configs/questions/coco_gpt4o.py

default_scope = 'mmdet'
dataset = dict(
    type='CocoDataset',
    data_root='data/coco',
    ann_file='annotations/instances_train2017.json',
    data_prefix=dict(img='train2017/'),
)
client = dict(model='gpt-4o', max_requests=50)
question_writer = dict(num_generated=100, num_selected=50)
out = 'data/coco/aspects/questions.json'
