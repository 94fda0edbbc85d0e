# Questions about the 196 cars of StanfordCars, by the paper's model and prompts (section 3.1): 50 of 100.
# OPENAI_API_KEY=... python tools/write_questions.py configs/questions/stanford_cars_gpt4o.py
_base_ = ['../_base_/datasets/stanford_cars.py']

default_scope = 'mmpretrain'
dataset = _base_.train_dataloader.dataset
client = dict(model='gpt-4o', max_requests=50)
question_writer = dict(num_generated=100, num_selected=50)
out = 'data/stanford_cars/aspects/questions.json'
