# Questions about the 196 cars of StanfordCars by GPT-3.5 (paper, Table 3).
# OPENAI_API_KEY=... python tools/write_questions.py configs/questions/stanford_cars_gpt35.py
_base_ = ['./stanford_cars_gpt4o.py']

client = dict(model='gpt-3.5-turbo')
out = 'data/stanford_cars/aspects/questions_gpt35.json'
