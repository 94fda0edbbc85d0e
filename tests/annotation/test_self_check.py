"""The answers are those of ``generate``, whatever kind of attention a model has, in whichever mode is chosen."""

import numpy as np
import pytest
import torch
import transformers
from annotation import tiny_attentions, tiny_models
from annotation.test_hf_annotator import LONG, QUESTIONS, picture, short_by_one
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from makd.annotation.annotators import HFAnnotator, HFClassAnnotator
from makd.annotation.annotators.prefix_scorer import PrefixScorer, concatenated
from makd.annotation.annotators.self_check import checked_suffixes, self_check
from makd.errors import ConfigError

V5 = transformers.__version__ >= '5'
ANSWERS = [7, 8]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    made = {}

    def make(family, families=tiny_attentions.FAMILIES):
        if family not in made:
            made[family] = tiny_models.save_model(family, tmp_path_factory.mktemp(family), families=families)
        return made[family]

    return make


@torch.no_grad()
def generated(annotator, image):
    """Return (Q, 2): log-probabilities of Yes and No by ``generate``, of the processor's output for each prompt."""
    model, processor = annotator.model, annotator.processor
    rows = []
    for question in annotator.questions:
        inputs = processor(text=[annotator.chat(question.text)], images=[image], return_tensors='pt').to(model.dtype)
        if 'paligemma' not in model.config.model_type:
            inputs.pop('token_type_ids', None)  # zeros of the stand-in tokenizer, which the real ones do not return
        output = model.generate(
            **inputs, max_new_tokens=1, do_sample=False, output_logits=True, return_dict_in_generate=True
        )
        logprobs = output.logits[0][0].double().log_softmax(-1)
        rows.append(logprobs[processor.tokenizer.convert_tokens_to_ids(['Yes', 'No'])])
    return torch.stack(rows).numpy()


@pytest.mark.parametrize('family', tiny_attentions.FAMILIES)
def test_families(checkpoint, family):
    # The prefix is longer than any window.
    annotator = HFAnnotator(checkpoint(family), QUESTIONS, system_prompt=LONG, chunk_size=3)
    images = [picture((60, 60), 0), picture((64, 30), 1), picture((60, 60), 2)]
    report = annotator.start(images[0])
    assert report['scoring'] == tiny_attentions.MODES[family], report
    answers = annotator.answer([annotator.preparer(image) for image in images])
    for image, answer in zip(images, answers):
        np.testing.assert_allclose(answer.logprobs, generated(annotator, image), atol=1e-4)
    assert np.abs(answers[0].logprobs - answers[2].logprobs).max() > 1e-2, 'the image matters'


class TextOnly:
    """A language model without images, for attention that no image-text-to-text model of transformers has yet."""

    def __init__(self, model_type, keep=None, auto=AutoModelForCausalLM, **config):
        tokenizer = tiny_models.make_tokenizer()
        config = {**tiny_models.text_config(model_type, tokenizer), **config}
        torch.manual_seed(0)
        self.model = auto.from_config(AutoConfig.for_model(**config)).eval()
        self.model.apply(tiny_models.spread_weights)
        generator = torch.Generator().manual_seed(1)
        self.suffixes = [torch.randint(5, 250, (size,), generator=generator).tolist() for size in (5, 2, 9, 7)]
        self.prefixes = [torch.randint(5, 250, (1, 40), generator=generator) for _ in range(2)]
        self.scorer = PrefixScorer(self.model, self.suffixes, self.read, keep, chunk_size=3)

    def read(self, logits, suffix, position):
        return logits.log_softmax(-1)[:, ANSWERS]

    def whole(self, prefix, suffix, cut=0):
        ids = self.suffixes[suffix]
        ids = torch.cat([prefix, torch.tensor([ids[: len(ids) - cut]], dtype=torch.long)], dim=1)
        return {'input_ids': ids, 'attention_mask': torch.ones_like(ids)}

    def prompts(self, prefix, suffixes):
        return [self.whole(prefix, suffix, self.scorer.keep[suffix] - 1) for suffix in suffixes]

    def check(self):
        prompts = [self.prompts(prefix, checked_suffixes(self.scorer)) for prefix in self.prefixes]
        return self_check(self.scorer, prompts, [{'input_ids': prefix} for prefix in self.prefixes])

    def scores(self):
        if self.scorer.mode != 'naive':
            return self.scorer.score(concatenated([{'input_ids': prefix} for prefix in self.prefixes]))
        whole = [self.prompts(prefix, range(len(self.suffixes))) for prefix in self.prefixes]
        return torch.cat([self.scorer.score_whole(prompts) for prompts in whole])

    @torch.no_grad()
    def expected(self):
        """Return what is read, from a forward of its own up to each position."""
        scores = torch.zeros(len(self.prefixes), len(self.suffixes), 2)
        for image, prefix in enumerate(self.prefixes):
            for suffix, keep in enumerate(self.scorer.keep):
                for cut in range(keep):
                    logits = self.model(**self.whole(prefix, suffix, cut), use_cache=True).logits[0, -1]
                    scores[image, suffix] += logits.log_softmax(-1)[ANSWERS]
        return scores


MAMBA = dict(mamba_n_heads=8, mamba_d_head=8, mamba_n_groups=1, mamba_d_state=8)
HYBRID = 'copied' if V5 else 'naive'  # before transformers 5, their caches go on by one token only


@pytest.mark.parametrize(
    ('model_type', 'mode', 'config'),
    [
        (
            'gemma3n_text',  # the last two layers take keys and values of others, out of the cache
            'copied',
            dict(
                num_hidden_layers=4,
                sliding_window=24,
                layer_types=['sliding_attention', 'full_attention'] * 2,
                num_kv_shared_layers=2,
                hidden_size_per_layer_input=8,
                vocab_size_per_layer_input=300,
                laurel_rank=4,
                altup_num_inputs=2,
                activation_sparsity_pattern=[0.0] * 4,
            ),
        ),
        (
            'qwen3_next',
            HYBRID,
            dict(
                num_hidden_layers=4,
                linear_num_key_heads=2,
                linear_num_value_heads=4,
                linear_key_head_dim=8,
                linear_value_head_dim=8,
                num_experts=4,
                num_experts_per_tok=2,
                moe_intermediate_size=16,
                shared_expert_intermediate_size=16,
            ),
        ),
        ('falcon_h1', HYBRID, dict(mamba_d_ssm=64, **MAMBA)),
        ('bamba', 'naive', dict(num_hidden_layers=4, attn_layer_indices=[1, 3], mamba_expand=2, **MAMBA)),
        ('lfm2', HYBRID, dict(layer_types=['conv', 'full_attention', 'conv'], block_ff_dim=32)),
        (
            'minimax',
            'naive',
            dict(layer_types=['linear_attention', 'full_attention'], num_hidden_layers=2, num_local_experts=2),
        ),
    ],
)
def test_language_models(model_type, mode, config):
    text = TextOnly(model_type, keep=[3, 2, 4, 1], **config)
    assert text.check()['scoring'] == mode
    torch.testing.assert_close(text.scores(), text.expected(), atol=1e-4, rtol=0)


@torch.no_grad()
def test_class_names_are_scored_whole_without_a_prefix(checkpoint):
    annotator = HFClassAnnotator(checkpoint('mllama'), ['bird', 'convertible roof', 'water'])
    image = picture((60, 60), 0)
    assert annotator.start(image)['scoring'] == 'naive'
    (answer,) = annotator.answer([annotator.preparer(image)])
    prompt = annotator.chat('What is in the picture? Answer with its name only.')
    scores = []
    for name in annotator.questions.texts:
        text = prompt + name + annotator.processor.tokenizer.eos_token
        inputs = annotator.processor(text=[text], images=[image], return_tensors='pt')
        inputs.pop('token_type_ids', None)
        logprobs = annotator.model(**inputs).logits[0].double().log_softmax(-1)
        ids = inputs['input_ids'][0].tolist()
        start = len(ids) - 1 - len(annotator.processor.tokenizer(name, add_special_tokens=False).input_ids)
        scores.append(sum(float(logprobs[place - 1, ids[place]]) for place in range(start, len(ids))))
    p = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(answer.logprobs, np.stack([np.log(p), np.log1p(-p)], axis=1), atol=1e-4)


@pytest.mark.skipif(V5, reason='transformers 5 no longer ends a text with a newline')
def test_class_names_that_the_processor_separates_from_the_prompt_are_refused(checkpoint):
    with pytest.raises(ConfigError, match='depend on the name after it'):
        HFClassAnnotator(checkpoint('paligemma'), ['bird', 'water'])


def test_tokens_with_the_lowest_number_as_logit_do_not_hide_a_wrong_prefix():
    codebook = dict(embed_dim=16, num_embeddings=8, latent_channels=16, resolution=32, base_channels=32)
    codes = {'<image>': 3, 'IMGIMGAZ': 20, 'IMGIMGBZ': 21}
    text = TextOnly(
        'chameleon',
        auto=AutoModelForImageTextToText,
        vq_config=dict(channel_multiplier=[1], **codebook),
        vocabulary_map=codes,
    )
    with torch.no_grad():
        logits = text.model(**text.whole(text.prefixes[0], 0)).logits
    assert logits.min() == torch.finfo(logits.dtype).min
    assert text.check()['scoring'] == 'shared'
    torch.testing.assert_close(text.scores(), text.expected(), atol=1e-4, rtol=0)
    short_by_one(text.scorer)
    report = text.check()
    assert report['scoring'] == 'naive'
    assert report['error_of_copied'] > 100 * report['tolerance']


def test_a_model_that_mixes_up_a_batch_is_not_excused_by_its_noise():
    text = TextOnly('llama')
    forward = text.model.forward

    text.model.forward = lambda input_ids, **kwargs: forward(input_ids.roll(1, dims=0), **kwargs)
    report = text.check()
    assert report['noise'] > 0.1
    assert report['tolerance'] < 1e-3
    assert report['scoring'] == 'naive'
    torch.testing.assert_close(text.scores(), text.expected(), atol=1e-4, rtol=0)


@pytest.mark.parametrize('failure', [NotImplementedError, AttributeError, TypeError, RuntimeError, KeyError])
def test_a_mode_that_raises_does_not_serve(failure, monkeypatch):
    def fail(self, *args):
        raise failure('not for me')

    text = TextOnly('llama')
    monkeypatch.setattr(PrefixScorer, '_packed', fail)
    report = text.check()
    assert report['scoring'] == 'copied'
    assert report['error_of_shared'] == f'{failure.__name__}: {failure("not for me")}'
    monkeypatch.setattr(PrefixScorer, '_padded', fail)
    assert text.check()['scoring'] == 'naive'
    torch.testing.assert_close(text.scores(), text.expected(), atol=1e-4, rtol=0)


def test_no_mode_is_used_that_was_not_checked():
    text = TextOnly('llama')
    with pytest.raises(RuntimeError, match='self_check'):
        text.scorer.score({'input_ids': text.prefixes[0]})


@torch.no_grad()
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_finite_are_named(value):
    text = TextOnly('llama')
    text.model.model.layers[1].mlp.up_proj.weight[3, 4] = value
    with pytest.raises(ConfigError, match=r'(?s)not finite.* 1 of its weights .*layers\.1\.mlp\.up_proj'):
        text.check()


@torch.no_grad()
def test_an_overflow_is_told_from_damaged_weights():
    text = TextOnly('llama')
    text.model.half()
    text.model.lm_head.weight.fill_(6e4)
    with pytest.raises(ConfigError, match=r'not finite.*overflow in torch.float16'):
        text.check()


def test_a_model_that_does_not_see_the_image_is_refused():
    text = TextOnly('llama')
    text.prefixes[1] = text.prefixes[0]
    with pytest.raises(ConfigError, match='does not see'):
        text.check()


def test_a_model_that_cannot_answer_is_refused():
    text = TextOnly('llama')
    text.model.forward = None
    with pytest.raises(ConfigError, match='generate fails'):
        text.check()


def test_logits_that_are_not_finite_later_are_missing_answers(checkpoint):
    annotator = HFAnnotator(checkpoint('pixtral'), QUESTIONS)
    image = picture((60, 60), 0)
    annotator.start(image)
    inputs = annotator.preparer(image)
    (good,) = annotator.answer([inputs])
    assert good.reason is None
    inputs[0]['pixel_values'] = torch.full_like(inputs[0]['pixel_values'], torch.nan)
    (answer,) = annotator.answer([inputs])
    assert np.isnan(answer.logprobs).all()
    assert 'not finite' in answer.reason
