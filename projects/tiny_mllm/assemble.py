"""The tiny MLLM in transformers: a LLaVA of a hybrid ViT and a small Llama, with tokenizer and processor."""

from collections.abc import Iterable
from pathlib import Path

from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from projects.tiny_mllm.hybrid_vision import STRIDE, HybridVisionConfig

IMAGE_SIZE = 160
MEAN, STD = 127 / 255, 128 / 255  # of EfficientNet-Lite
PAD, END, USER, ASSISTANT, IMAGE = '<pad>', '</s>', '<user>', '<assistant>', '<image>'
ANSWERS = ('Yes', 'No')
VOCABULARY = 4000

# The image always comes first, regardless of the order in the message, so that all questions share one prefix.
CHAT_TEMPLATE = (
    '{% for message in messages %}<{{ message.role }}>'
    '{% if message.content is string %}{{ message.content }}{% else %}'
    "{% for part in message.content if part.type == 'image' %}<image>{% endfor %}"
    "{% for part in message.content if part.type == 'text' %}{{ part.text }}{% endfor %}"
    "{% endif %}{% if message.role == 'assistant' %}</s>{% endif %}{% endfor %}"
    '{% if add_generation_prompt %}<assistant>{% endif %}'
)


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer in which as many words of ``texts`` as possible are single tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END, USER, ASSISTANT, IMAGE],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # The answers are repeated so that they are the first words to become tokens.
    tokenizer.train_from_iterator([*texts, *ANSWERS * 1000], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT, IMAGE],
        padding_side='right',
        model_max_length=512,
        model_input_names=['input_ids', 'attention_mask'],
    )


def make_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Return the processor; images are stretched to a square, and one ``<image>`` stands for all patches."""
    side = {'height': IMAGE_SIZE, 'width': IMAGE_SIZE}
    image_processor = CLIPImageProcessor(size=side, crop_size=side, image_mean=[MEAN] * 3, image_std=[STD] * 3)
    return LlavaProcessor(
        image_processor,
        tokenizer,
        patch_size=STRIDE,
        vision_feature_select_strategy='full',
        chat_template=CHAT_TEMPLATE,
        image_token=IMAGE,
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """Return the model with random weights, determined by torch's seed."""
    vision = HybridVisionConfig(image_size=IMAGE_SIZE)
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        initializer_range=0.1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=(IMAGE_SIZE // STRIDE) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy='full',
        tie_word_embeddings=True,
        initializer_range=0.1,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlavaForConditionalGeneration(config)


def save(model: LlavaForConditionalGeneration, processor: LlavaProcessor, folder: Path) -> None:
    """Write a folder for ``from_pretrained``, with weights in half precision for computation in single precision.

    The config says float32, so transformers converts the weights to it on loading.
    """
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    path = folder / 'model.safetensors'
    half = {name: tensor.half() for name, tensor in load_file(path).items()}
    save_file(half, path, metadata={'format': 'pt'})
    (folder / 'generation_config.json').unlink(missing_ok=True)  # not needed: the model only ever says one token
