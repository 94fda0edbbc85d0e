# The emoji, in all five styles, answered by InternVL3-38B in vLLM on two GPUs.
# python tools/annotate.py configs/annotate/internvl3_38b_vllm_emoji.py
_base_ = ['../_base_/annotate.py', '../_base_/annotators/internvl3_38b_vllm.py', '../_base_/datasets/emoji_annotate.py']

model = dict(questions='data/emoji/aspects/questions.json')
dataloader = dict(batch_size=32)
writer = dict(out_dir='work_dirs/targets/emoji_internvl3_38b_vllm')
