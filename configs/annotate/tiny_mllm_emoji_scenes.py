# EmojiScenes, training and test, answered by the bundled small MLLM. It was trained on single objects on a plain
# background, so it knows little about scenes.
# python tools/prepare_dataset.py emoji_scenes && python tools/annotate.py configs/annotate/tiny_mllm_emoji_scenes.py
_base_ = ['./tiny_mllm_emoji.py']

model = dict(questions='data/emoji_scenes/aspects/questions.json')
dataloader = dict(dataset=dict(data_root='data/emoji_scenes'))
writer = dict(out_dir='work_dirs/targets/emoji_scenes_tiny_mllm')
