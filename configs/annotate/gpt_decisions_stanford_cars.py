# StanfordCars, training and test, answered by OpenAI's decision model: 16,185 requests with 50 questions each.
# python tools/annotate.py configs/annotate/gpt_decisions_stanford_cars.py --estimate
# python tools/annotate.py configs/annotate/gpt_decisions_stanford_cars.py
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = [
    '../_base_/annotate.py',
    '../_base_/annotators/gpt_decisions.py',
    '../_base_/datasets/stanford_cars_annotate.py',
]

model = dict(client=dict(max_dollars=20.0), questions='data/stanford_cars/aspects/questions.json', top=50)
dataloader = dict(batch_size=64)
writer = dict(out_dir='data/stanford_cars/aspects/gpt_decisions')
