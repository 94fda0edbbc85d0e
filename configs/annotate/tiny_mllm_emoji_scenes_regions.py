# The things in the boxes of EmojiScenes, each cut out, answered by the bundled small MLLM: 7,684 regions.
# python tools/prepare_dataset.py emoji_scenes
# python tools/annotate.py configs/annotate/tiny_mllm_emoji_scenes_regions.py
_base_ = ['./tiny_mllm_emoji.py']

data_root = 'data/emoji_scenes'
dataloader = dict(
    dataset=dict(
        type='makd.AnnotationRegions',
        data_root=data_root,
        datasets=[
            dict(
                type='makd.CocoBoxes',
                data_root=data_root,
                ann_file=f'annotations/{split}.json',
                data_prefix=dict(img=f'{split}/'),
            )
            for split in ('train', 'val', 'test')
        ],
    )
)
writer = dict(out_dir='work_dirs/targets/emoji_scenes_regions_tiny_mllm')
