# StanfordCars answered by InternVL2-8B, about the questions of another LLM (paper, Table 3).
# python tools/write_questions.py configs/questions/stanford_cars_gpt35.py
# python tools/annotate.py configs/annotate/internvl2_8b_stanford_cars_gpt35.py
_base_ = ['./internvl2_8b_stanford_cars.py']

model = dict(questions='data/stanford_cars/aspects/questions_gpt35.json')
writer = dict(out_dir='data/stanford_cars/aspects/internvl2_8b_gpt35')
