"""Small, randomly initialised image-text-to-text models of many families, with their real processors."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast, Qwen2TokenizerFast

QUESTIONS = (
    'Is it a bird?',
    'Does the car have a convertible roof?',
    'Is there, somewhere in the background of the picture, something that was made by people?',
    'Is it round?',
    'Is it usually found in water, or near to water?',
)
PINPOINTS = [[56, 28], [28, 56], [56, 56]]

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    '<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}'
)


def make_tokenizer(special=(), cls=PreTrainedTokenizerFast, **named):
    """A byte-level BPE in which Yes and No are one token each."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ['<pad>', '<|im_start|>', '<|im_end|>', *special, *named.values()]
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = ' Yes No yes no YES NO user assistant system'
    tokenizer.train_from_iterator([*QUESTIONS, *[words, words.replace(' ', '\n')] * 20], trainer)
    return cls(
        tokenizer_object=tokenizer,
        pad_token='<pad>',
        eos_token='<|im_end|>',
        additional_special_tokens=list(special),
        extra_special_tokens=named,
    )


def text_config(model_type, tokenizer, **more):
    return dict(
        model_type=model_type,
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=2048,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
        **more,
    )


def clip_config(model_type='clip_vision_model', **more):
    size = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
    return dict(model_type=model_type, image_size=28, patch_size=7) | size | more


def internvl():
    from transformers import GotOcr2ImageProcessor, InternVLConfig, InternVLProcessor

    tokenizer = make_tokenizer(
        start_image_token='<img>',
        end_image_token='</img>',
        context_image_token='<IMG_CONTEXT>',
        video_token='<video>',
    )
    config = InternVLConfig(
        vision_config=clip_config('internvl_vision', image_size=[28, 28], patch_size=[7, 7]),
        text_config=text_config('qwen2', tokenizer),
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4,
    )
    image_processor = GotOcr2ImageProcessor(
        size={'height': 28, 'width': 28}, crop_to_patches=True, min_patches=1, max_patches=4
    )
    template = CHAT.replace('IMAGE', '<IMG_CONTEXT>')
    return config, InternVLProcessor(
        image_processor, tokenizer, make_video_processor('InternVL'), image_seq_length=4, chat_template=template
    )


def _llava_processor(cls, image_processor, tokenizer):
    return cls(
        image_processor,
        tokenizer,
        patch_size=7,
        vision_feature_select_strategy='default',
        num_additional_image_tokens=1,
        chat_template=CHAT.replace('IMAGE', '<image>'),
    )


def llava():
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaProcessor

    tokenizer = make_tokenizer(image_token='<image>')
    config = LlavaConfig(
        vision_config=clip_config(),
        text_config=text_config('llama', tokenizer),
        image_token_index=tokenizer.image_token_id,
        vision_feature_select_strategy='default',
        vision_feature_layer=-2,
    )
    image_processor = CLIPImageProcessor(size={'shortest_edge': 28}, crop_size={'height': 28, 'width': 28})
    return config, _llava_processor(LlavaProcessor, image_processor, tokenizer)


def llava_next():
    from transformers import LlavaNextConfig, LlavaNextImageProcessor, LlavaNextProcessor

    tokenizer = make_tokenizer(image_token='<image>')
    config = LlavaNextConfig(
        vision_config=clip_config(),
        text_config=text_config('llama', tokenizer),
        image_token_index=tokenizer.image_token_id,
        image_grid_pinpoints=PINPOINTS,
    )
    image_processor = LlavaNextImageProcessor(
        size={'shortest_edge': 28}, crop_size={'height': 28, 'width': 28}, image_grid_pinpoints=PINPOINTS
    )
    return config, _llava_processor(LlavaNextProcessor, image_processor, tokenizer)


def qwen_vl(name, text_type, rope, patch_size, video_family, processor=None, more_text=None, **vision):
    import transformers

    tokenizer = make_tokenizer(
        cls=Qwen2TokenizerFast,
        image_token='<|image_pad|>',
        video_token='<|video_pad|>',
        vision_start_token='<|vision_start|>',
        vision_end_token='<|vision_end|>',
    )
    size = dict(hidden_size=32, intermediate_size=48, num_heads=4, out_hidden_size=32, patch_size=patch_size)
    config = getattr(transformers, f'{name}Config')(
        vision_config={**size, **vision},
        text_config=text_config(
            text_type, tokenizer, rope_scaling=dict(rope_type='default', rope_theta=1e4, **rope), **(more_text or {})
        ),
        image_token_id=tokenizer.image_token_id,
        video_token_id=tokenizer.video_token_id,
        vision_start_token_id=tokenizer.vision_start_token_id,
        vision_end_token_id=tokenizer.vision_end_token_id,
    )
    side = 2 * patch_size
    processor = getattr(transformers, f'{processor or name}Processor')(
        transformers.Qwen2VLImageProcessor(patch_size=patch_size, min_pixels=side * side, max_pixels=16 * side * side),
        tokenizer,
        make_video_processor(video_family),
        chat_template=CHAT.replace('IMAGE', '<|vision_start|><|image_pad|><|vision_end|>'),
    )
    return config, processor


def qwen2_5_vl():
    rope = dict(type='default', mrope_section=[1, 1, 2])
    vision = dict(depth=2, fullatt_block_indexes=[1], window_size=28)
    return qwen_vl('Qwen2_5_VL', 'qwen2_5_vl_text', rope, 7, 'Qwen2VL', **vision)


def qwen3_vl():
    rope = dict(mrope_section=[2, 1, 1], mrope_interleaved=True)
    vision = dict(depth=3, num_position_embeddings=16, deepstack_visual_indexes=[0, 1])
    return qwen_vl('Qwen3VL', 'qwen3_vl_text', rope, 8, 'Qwen3VL', **vision)


def _idefics(name, vision_type, *more_processors):
    import transformers

    rows = [f'<row_{row}_col_{column}>' for row in range(1, 7) for column in range(1, 7)]
    tokenizer = make_tokenizer(
        rows,
        image_token='<image>',
        fake_image_token='<fake_token_around_image>',
        end_of_utterance_token='<end_of_utterance>',
        global_image_token='<global-img>',
    )
    image_processor = getattr(transformers, f'{name}ImageProcessor')(
        size={'longest_edge': 64}, max_image_size={'longest_edge': 32}
    )
    processor = getattr(transformers, f'{name}Processor')(
        image_processor,
        tokenizer,
        *more_processors,
        image_seq_len=4,
        chat_template=CHAT.replace('IMAGE', '<image>'),
    )
    config = getattr(transformers, f'{name}Config')(
        vision_config=clip_config(vision_type, image_size=32, patch_size=8),
        text_config=text_config('llama', tokenizer),
        image_token_id=tokenizer.image_token_id,
        scale_factor=2,
    )
    return config, processor


def idefics3():
    return _idefics('Idefics3', 'idefics3_vision')


def smolvlm():
    return _idefics('SmolVLM', 'smolvlm_vision', make_video_processor('SmolVLM'))


def gemma3():
    """With layers whose window of 24 tokens is shorter than a long prefix."""
    from transformers import Gemma3Config, Gemma3ImageProcessor, Gemma3Processor

    tokenizer = make_tokenizer(
        image_token='<image_soft_token>', boi_token='<start_of_image>', eoi_token='<end_of_image>'
    )
    config = Gemma3Config(
        vision_config=clip_config('siglip_vision_model', vision_use_head=False),
        text_config=text_config(
            'gemma3_text',
            tokenizer,
            sliding_window=24,
            layer_types=['sliding_attention', 'full_attention', 'sliding_attention'],
            query_pre_attn_scalar=8,
        ),
        mm_tokens_per_image=4,
        image_token_index=tokenizer.image_token_id,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
    )
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size={'height': 28, 'width': 28}),
        tokenizer,
        chat_template=CHAT.replace('IMAGE', '<start_of_image>'),
        image_seq_length=4,
    )
    return config, processor


def make_video_processor(family):
    """Return the video processor that some processors insist on, though there are no videos."""
    import transformers

    return getattr(transformers, f'{family}VideoProcessor')()


FAMILIES = {
    make.__name__: make for make in (internvl, llava, llava_next, qwen2_5_vl, qwen3_vl, idefics3, smolvlm, gemma3)
}


def save_model(family, folder, seed=0, families=FAMILIES):
    """Write a checkpoint as a user would have it on disk, and return the folder's path."""
    import torch

    torch.manual_seed(seed)
    config, processor = families[family]()
    model = AutoModelForImageTextToText.from_config(config).eval()
    model.apply(spread_weights)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def spread_weights(module):
    """Draw larger weights: with those of initialisation, attention and so an error in the prefix hardly matters."""
    import torch

    if isinstance(module, torch.nn.Linear):
        torch.nn.init.normal_(module.weight, std=0.25)
    if hasattr(module, 'mm_input_projection_weight'):  # Gemma3's begins as zero: the image would not matter at all
        torch.nn.init.normal_(module.mm_input_projection_weight, std=0.25)
    if hasattr(module, 'cross_attn_attn_gate'):  # Mllama's, likewise
        torch.nn.init.ones_(module.cross_attn_attn_gate)
