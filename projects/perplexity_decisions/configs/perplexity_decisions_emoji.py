# The emoji, in all five styles, answered by Perplexity's decision model. Run from the root of the repository:
# PERPLEXITY_API_KEY=... python tools/annotate.py projects/perplexity_decisions/configs/perplexity_decisions_emoji.py
_base_ = ['../../../configs/_base_/annotate.py', '../../../configs/_base_/datasets/emoji_annotate.py']

custom_imports = dict(
    imports=['makd', 'projects.perplexity_decisions.perplexity_annotator'], allow_failed_imports=False
)

model = dict(
    type='makd.PerplexityDecisionsAnnotator',
    client=dict(
        model='pplx-decider-v1.2',
        base_url='https://api.perplexity.ai/v1',
        api_key_env='PERPLEXITY_API_KEY',
        price_per_million_tokens=0.02,
        max_dollars=1.0,
    ),
    questions='data/emoji/aspects/questions.json',
    image_format='png',
    concurrency=8,  # ten requests per second are allowed
)
dataloader = dict(batch_size=64)
writer = dict(out_dir='work_dirs/targets/emoji_perplexity_decisions')
