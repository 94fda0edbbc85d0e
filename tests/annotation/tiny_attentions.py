"""Small, randomly initialised models of every kind of attention that transformers has, with their real processors."""

import transformers
from annotation.tiny_models import CHAT, clip_config, llava, make_tokenizer, make_video_processor, qwen_vl, text_config

SLIDING = dict(sliding_window=24, layer_types=['sliding_attention', 'full_attention', 'sliding_attention'])


def siglip(**more):
    return clip_config('siglip_vision_model', vision_use_head=False, **more)


def paligemma(model_type='gemma', **text):
    """Attends in both directions within the whole prompt."""
    tokenizer = make_tokenizer(['<bos>', '<unk>', '<image>'], transformers.GemmaTokenizerFast)
    config = transformers.PaliGemmaConfig(
        vision_config=siglip(projection_dim=32),
        text_config=text_config(model_type, tokenizer, **text),
        image_token_index=tokenizer.convert_tokens_to_ids('<image>'),
        projection_dim=32,
        hidden_size=32,
    )
    image_processor = transformers.SiglipImageProcessor(size={'height': 28, 'width': 28})
    image_processor.image_seq_length = 16
    template = CHAT.replace('IMAGE', '<image>')
    return config, transformers.PaliGemmaProcessor(image_processor, tokenizer, chat_template=template)


def paligemma2():
    return paligemma('gemma2', query_pre_attn_scalar=8, sliding_window=24)


def mllama():
    """Attends to the image in layers of its own, by a mask (length, images, tiles)."""
    tokenizer = make_tokenizer(image_token='<|image|>', python_tag_token='<|python_tag|>', bos_token='<bos>')
    text = text_config(
        'mllama_text_model', tokenizer, cross_attention_layers=[1], rope_scaling=dict(rope_type='default')
    )
    config = transformers.MllamaConfig(
        vision_config=dict(
            hidden_size=32,
            num_hidden_layers=2,
            num_global_layers=1,
            num_attention_heads=4,
            intermediate_size=48,
            vision_output_dim=64,
            image_size=28,
            patch_size=7,
            max_num_tiles=4,
            intermediate_layers_indices=[0],
            supported_aspect_ratios=[[1, 1], [1, 2], [2, 1], [1, 3], [3, 1], [1, 4], [2, 2], [4, 1]],
        ),
        text_config={**text, 'bos_token_id': tokenizer.bos_token_id},
        image_token_index=tokenizer.image_token_id,
    )
    image_processor = transformers.MllamaImageProcessor(size={'height': 28, 'width': 28}, max_image_tiles=4)
    template = CHAT.replace('IMAGE', '<|image|>')
    return config, transformers.MllamaProcessor(image_processor, tokenizer, chat_template=template)


def llama4():
    """Attends within chunks of 16 tokens, and routes to experts."""
    named = dict(
        image_token='<|image|>',
        image_start='<|image_start|>',
        image_end='<|image_end|>',
        patch='<|patch|>',
        tile_x='<|tile_x_separator|>',
        tile_y='<|tile_y_separator|>',
    )
    tokenizer = make_tokenizer(**named)
    text = text_config(
        'llama4_text',
        tokenizer,
        attention_chunk_size=16,
        layer_types=['chunked_attention', 'full_attention', 'chunked_attention'],
        num_local_experts=2,
        intermediate_size_mlp=48,
        interleave_moe_layer_step=2,
        no_rope_layers=[1, 0, 1],
        floor_scale=8,
    )
    config = transformers.Llama4Config(
        vision_config=dict(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=128,
            vision_output_dim=32,
            image_size=28,
            patch_size=7,
            projector_input_dim=32,
            projector_output_dim=32,
        ),
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids('<|patch|>'),
        boi_token_index=tokenizer.convert_tokens_to_ids('<|image_start|>'),
        eoi_token_index=tokenizer.convert_tokens_to_ids('<|image_end|>'),
    )
    image_processor = transformers.Llama4ImageProcessorFast(size={'height': 28, 'width': 28}, max_patches=4)
    return config, transformers.Llama4Processor(
        image_processor, tokenizer, patch_size=7, chat_template=CHAT.replace('IMAGE', '<|image|>')
    )


def llava_over(model_type, **text):
    """Return LLaVA with another language model."""
    config, processor = llava()
    config.text_config = transformers.AutoConfig.for_model(**{**text_config(model_type, processor.tokenizer), **text})
    return config, processor


def mistral():
    return llava_over('mistral', sliding_window=24)


def gemma2():
    return llava_over('gemma2', query_pre_attn_scalar=8, **SLIDING)


def gpt_oss():
    """Has attention sinks."""
    return llava_over('gpt_oss', num_local_experts=4, rope_scaling=None, **SLIDING)


def deepseek_v3():
    """Multi-head latent attention, as in Kimi-VL, and experts."""
    heads = dict(
        num_key_value_heads=4, q_lora_rank=16, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=12
    )
    experts = dict(n_routed_experts=4, n_group=2, topk_group=1, num_experts_per_tok=2, first_k_dense_replace=1)
    return llava_over('deepseek_v3', moe_intermediate_size=16, **heads, **experts)


def diffllama():
    """The difference of two attentions."""
    return llava_over('diffllama')


def pixtral():
    tokenizer = make_tokenizer(image_token='[IMG]', image_break='[IMG_BREAK]', image_end='[IMG_END]')
    config = transformers.LlavaConfig(
        vision_config=clip_config('pixtral', head_dim=8, image_size=56),
        text_config=text_config('mistral', tokenizer, sliding_window=None),
        image_token_index=tokenizer.image_token_id,
        vision_feature_select_strategy='full',
        vision_feature_layer=-1,
    )
    image_processor = transformers.PixtralImageProcessor(size={'longest_edge': 28}, patch_size=7)
    template = CHAT.replace('IMAGE', '[IMG]')
    return config, transformers.PixtralProcessor(image_processor, tokenizer, patch_size=7, chat_template=template)


def mistral3():
    tokenizer = make_tokenizer(image_token='[IMG]', image_break='[IMG_BREAK]', image_end='[IMG_END]')
    config = transformers.Mistral3Config(
        vision_config=clip_config('pixtral', head_dim=8, image_size=56),
        text_config=text_config('mistral', tokenizer, sliding_window=24),
        image_token_index=tokenizer.image_token_id,
        spatial_merge_size=2,
    )
    image_processor = transformers.PixtralImageProcessor(size={'longest_edge': 56}, patch_size=14)
    return config, transformers.PixtralProcessor(
        image_processor, tokenizer, patch_size=7, spatial_merge_size=2, chat_template=CHAT.replace('IMAGE', '[IMG]')
    )


def aria():
    tokenizer = make_tokenizer(image_token='<image>')
    config = transformers.AriaConfig(
        vision_config=clip_config('idefics3_vision', image_size=980, patch_size=196),
        text_config=text_config('aria_text', tokenizer, moe_num_experts=4, moe_topk=2, moe_num_shared_experts=1),
        projector_patch_to_query_dict={25: 4},
        image_token_index=tokenizer.image_token_id,
    )
    image_processor = transformers.AriaImageProcessor(max_image_size=980, min_image_size=196)
    return config, transformers.AriaProcessor(
        image_processor, tokenizer, chat_template=CHAT.replace('IMAGE', '<image>'), size_conversion={980: 4}
    )


def ovis2():
    indicators = ['<IMG_START>', '<IMG_GRID>', '<IMG_COL>', '<IMG_ROW>', '<IMG_END>']
    tokenizer = make_tokenizer(indicators, image_token='<IMG_ATOM>')
    config = transformers.Ovis2Config(
        vision_config=dict(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=28,
            patch_size=7,
            vocab_size=40,
            hidden_stride=2,
        ),
        text_config=text_config('qwen2', tokenizer),
        image_token_id=tokenizer.image_token_id,
        visual_indicator_token_ids=tokenizer.convert_tokens_to_ids(indicators),
        vocab_size=len(tokenizer),
        hidden_size=32,
    )
    image_processor = transformers.Ovis2ImageProcessor(size={'height': 28, 'width': 28}, crop_to_patches=False)
    return config, transformers.Ovis2Processor(
        image_processor, tokenizer, chat_template=CHAT.replace('IMAGE', '<image>'), image_seq_length=4
    )


def cohere2_vision():
    tokenizer = make_tokenizer(
        image_token='<|IMG_PATCH|>',
        boi_token='<|START_OF_IMG|>',
        eoi_token='<|END_OF_IMG|>',
        img_line_break_token='<|IMG_LINE_BREAK|>',
    )
    config = transformers.Cohere2VisionConfig(
        vision_config=siglip(image_size=32, patch_size=4),
        text_config=text_config('cohere2', tokenizer, **SLIDING),
        image_token_id=tokenizer.image_token_id,
        downsample_factor=2,
        alignment_intermediate_size=32,
    )
    image_processor = transformers.Cohere2VisionImageProcessorFast(
        size={'height': 32, 'width': 32}, patch_size=4, max_patches=4
    )
    return config, transformers.Cohere2VisionProcessor(
        image_processor, tokenizer, chat_template=CHAT.replace('IMAGE', '<|IMG_PATCH|>')
    )


def qwen3_vl_moe():
    rope = dict(mrope_section=[2, 1, 1], mrope_interleaved=True)
    experts = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, decoder_sparse_step=1)
    vision = dict(depth=3, num_position_embeddings=16, deepstack_visual_indexes=[0, 1])
    return qwen_vl('Qwen3VLMoe', 'qwen3_vl_moe_text', rope, 8, 'Qwen3VL', 'Qwen3VL', experts, **vision)


def qwen3_5():
    """Linear attention in two of three layers; only in transformers 5."""
    rope = dict(mrope_section=[2, 1, 1], mrope_interleaved=True, partial_rotary_factor=1.0)
    linear = dict(
        layer_types=['linear_attention', 'full_attention', 'linear_attention'],
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
    )
    vision = dict(depth=2, num_position_embeddings=16)
    return qwen_vl('Qwen3_5', 'qwen3_5_text', rope, 8, 'Qwen3VL', 'Qwen3VL', linear, **vision)


def glm4v_moe():
    tokenizer = make_tokenizer(
        image_token='<|image|>', video_token='<|video|>', begin='<|begin_of_image|>', end='<|end_of_image|>'
    )
    experts = dict(n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2, moe_intermediate_size=16)
    rope = dict(rope_scaling=dict(rope_type='default', mrope_section=[1, 1]))
    config = transformers.Glm4vMoeConfig(
        vision_config=dict(
            depth=2,
            hidden_size=32,
            num_heads=4,
            image_size=56,
            patch_size=7,
            out_hidden_size=32,
            intermediate_size=48,
        ),
        text_config=text_config('glm4v_moe_text', tokenizer, **experts, **rope),
        image_token_id=tokenizer.image_token_id,
        video_token_id=tokenizer.video_token_id,
        image_start_token_id=tokenizer.convert_tokens_to_ids('<|begin_of_image|>'),
        image_end_token_id=tokenizer.convert_tokens_to_ids('<|end_of_image|>'),
    )
    image_processor = transformers.Glm4vImageProcessor(
        patch_size=7, size={'shortest_edge': 14 * 14, 'longest_edge': 2 * 56 * 56}
    )
    template = CHAT.replace('IMAGE', '<|begin_of_image|><|image|><|end_of_image|>')
    return config, transformers.Glm4vProcessor(
        image_processor, tokenizer, make_video_processor('Glm4v'), chat_template=template
    )


# With the mode that serves.
MODES = {
    paligemma: 'naive',
    paligemma2: 'naive',
    mllama: 'naive',
    llama4: 'copied',
    mistral: 'copied',
    gemma2: 'copied',
    gpt_oss: 'copied',
    diffllama: 'copied',
    mistral3: 'copied',
    cohere2_vision: 'copied',
    deepseek_v3: 'copied' if transformers.__version__ >= '5' else 'shared',
    pixtral: 'shared',
    aria: 'shared',
    ovis2: 'shared',
    qwen3_vl_moe: 'shared',
    glm4v_moe: 'shared',
}
if hasattr(transformers, 'Qwen3_5Config'):
    MODES[qwen3_5] = 'copied'
FAMILIES = {make.__name__: make for make in MODES}
MODES = {make.__name__: mode for make, mode in MODES.items()}
