# Questions about the 37 breeds of OxfordPets, by the paper's model and prompts (section 3.1): 50 of 100.
# OPENAI_API_KEY=... python tools/write_questions.py configs/questions/oxford_pets_gpt4o.py
_base_ = ['../_base_/datasets/oxford_pets.py']

default_scope = 'mmpretrain'
dataset = _base_.train_dataloader.dataset
client = dict(model='gpt-4o', max_requests=50)
question_writer = dict(num_generated=100, num_selected=50)
out = 'data/oxford_pets/aspects/questions.json'
