# OpenAI's decision model: up to 400 questions about an image in one request, and no GPU. The images leave the machine.
#   export OPENAI_API_KEY=...
# `python tools/annotate.py CONFIG --estimate` asks about three images and says what all will cost. The price is that of
# November 2026; detail and max_side set how many tokens an image takes.
model = dict(
    type='makd.DecisionsAnnotator',
    client=dict(model='gpt-6-luna', price_per_million_tokens=0.10),
    prompt='bare',  # the paper's
    detail='auto',  # 'low', 'high', 'original'
    max_side=1024,
    concurrency=32,
)
