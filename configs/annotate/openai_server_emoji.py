# The emoji answered by GPT-4o or, with another base_url and model, by any server that takes images and shows
# log-probabilities.
# OPENAI_API_KEY=... python tools/annotate.py configs/annotate/openai_server_emoji.py --limit 20
# All 4,046 images and 66 questions are 267,036 requests: max_requests is the budget of one command, and the next one
# continues from there.
_base_ = ['../_base_/annotate.py', '../_base_/datasets/emoji_annotate.py']

model = dict(
    type='makd.OpenAIAnnotator',
    client=dict(model='gpt-4o', max_requests=5000),
    questions='data/emoji/aspects/questions.json',
    prompt='yes_no',
    case_variants=True,
    image_format='png',
)
# A failure, or the end of the budget, loses the answers in the current shard: 4 images are 264 requests.
writer = dict(out_dir='work_dirs/targets/emoji_openai_server', shard_size=4)
