# Questions about the 101 categories of Caltech-101, by the paper's model and prompts (section 3.1): 50 of 100.
# OPENAI_API_KEY=... python tools/write_questions.py configs/questions/caltech101_gpt4o.py
_base_ = ['../_base_/datasets/caltech101.py']

default_scope = 'mmpretrain'
dataset = _base_.train_dataloader.dataset
client = dict(model='gpt-4o', max_requests=50)
question_writer = dict(num_generated=100, num_selected=50)
out = 'data/caltech101/aspects/questions.json'
