# The emoji, in all five styles, answered by OpenAI's decision model: 4,046 requests with 66 questions each.
# python tools/annotate.py configs/annotate/gpt_decisions_emoji.py --estimate
# python tools/annotate.py configs/annotate/gpt_decisions_emoji.py
_base_ = ['../_base_/annotate.py', '../_base_/annotators/gpt_decisions.py', '../_base_/datasets/emoji_annotate.py']

model = dict(client=dict(max_dollars=5.0), questions='data/emoji/aspects/questions.json', image_format='png')
dataloader = dict(batch_size=64)
writer = dict(out_dir='work_dirs/targets/emoji_gpt_decisions')
