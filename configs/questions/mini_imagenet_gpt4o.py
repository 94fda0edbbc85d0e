# Questions about the 100 classes of Mini-ImageNet, whose lists have their WordNet ids only, by the paper's model and
# prompts (section 3.1): 50 of 100.
# OPENAI_API_KEY=... python tools/write_questions.py configs/questions/mini_imagenet_gpt4o.py

# fmt: off
classes = [
    'house finch', 'robin', 'triceratops', 'green mamba', 'harvestman', 'toucan', 'goose', 'jellyfish', 'nematode',
    'king crab', 'dugong', 'Walker hound', 'Ibizan hound', 'Saluki', 'golden retriever', 'Gordon setter', 'komondor',
    'boxer', 'Tibetan mastiff', 'French bulldog', 'malamute', 'dalmatian', 'Newfoundland', 'miniature poodle',
    'white wolf', 'African hunting dog', 'Arctic fox', 'lion', 'meerkat', 'ladybug', 'rhinoceros beetle', 'ant',
    'black-footed ferret', 'three-toed sloth', 'rock beauty', 'aircraft carrier', 'ashcan', 'barrel', 'beer bottle',
    'bookshop', 'cannon', 'carousel', 'carton', 'catamaran', 'chime', 'clog', 'cocktail shaker', 'combination lock',
    'crate', 'cuirass', 'dishrag', 'dome', 'electric guitar', 'file', 'fire screen', 'frying pan', 'garbage truck',
    'hair slide', 'holster', 'horizontal bar', 'hourglass', 'iPod', 'lipstick', 'miniskirt', 'missile',
    'mixing bowl', 'oboe', 'organ', 'parallel bars', 'pencil box', 'photocopier', 'poncho', 'prayer rug', 'reel',
    'school bus', 'scoreboard', 'slot', 'snorkel', 'solar dish', 'spider web', 'stage', 'tank', 'theater curtain',
    'tile roof', 'tobacco shop', 'unicycle', 'upright', 'vase', 'wok', 'worm fence', 'yawl', 'street sign',
    'consomme', 'trifle', 'hotdog', 'orange', 'cliff', 'coral reef', 'bolete', 'ear',
]
# fmt: on
client = dict(model='gpt-4o', max_requests=50)
question_writer = dict(num_generated=100, num_selected=50)
out = 'data/mini_imagenet/aspects/questions.json'
