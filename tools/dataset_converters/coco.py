"""COCO 2017 as mmdet and makd's configs expect it, from its published archives.

    data/coco/annotations/instances_{train,val}2017.json
    data/coco/{train,val}2017/*.jpg

19 GB are downloaded. Images: their owners' Flickr licences; annotations: CC BY 4.0 (see cocodataset.org).
"""

from dataset_converters.download import Download
from dataset_converters.published import Published

SITE = 'http://images.cocodataset.org'
COCO = Published(
    files=(
        Download(f'{SITE}/annotations/annotations_trainval2017.zip', 'f4bbac642086de4f52a3fdda2de5fa2c'),
        Download(f'{SITE}/zips/val2017.zip', '442b8da7639aecaf257c1dceb8ba8c80'),
        Download(f'{SITE}/zips/train2017.zip', 'cced6f7f71b7629ddf16f17bbcfab6b2'),
    ),
    counts={'annotations/instances_*2017.json': 2, 'val2017/*.jpg': 5_000, 'train2017/*.jpg': 118_287},
    next_step=(
        'Next, for MaKD: let a language model write 50 yes/no questions about images of COCO, or write them by hand\n'
        'into {out}/aspects/questions.json, and ask an MLLM:\n'
        '  OPENAI_API_KEY=... python tools/write_questions.py configs/questions/coco_gpt4o.py\n'
        '  bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco.py GPUS'
    ),
)
