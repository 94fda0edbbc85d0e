"""The ids of yes and no on tokenizers that add a BOS token or a leading space."""

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from makd.annotation.annotators.yes_no import answer_ids, pair_ids
from makd.errors import ConfigError

WORDS = ['<s>', '<unk>', '▁Q:', 'Q:', '▁A:', 'A:', '▁Yes', 'Yes', '▁No', 'No', '▁yes', 'yes', '▁', 'Ye', 's', 'N', 'o']


def sentencepiece_like():
    """As of Llama: adds a BOS token, and a leading space to each text."""
    pieces = [(word, -1.0 if len(word) > 1 else -5.0) for word in WORDS]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=1))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')])
    tokenizer.post_processor = processors.TemplateProcessing(single='<s> $A', special_tokens=[('<s>', 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token='<s>', unk_token='<unk>')


def test_the_id_is_that_in_context_and_not_that_of_the_word_alone():
    tokenizer = sentencepiece_like()
    assert tokenizer('Yes').input_ids == [0, WORDS.index('▁Yes')], 'a BOS token and a leading space'
    assert answer_ids(tokenizer, 'Q: A:', 'Yes') == [WORDS.index('Yes')]
    assert answer_ids(tokenizer, 'Q: A:', ' Yes') == [WORDS.index('▁Yes')]


def test_case_variants_are_those_that_are_one_token():
    ids = answer_ids(sentencepiece_like(), 'Q: A:', 'Yes', case_variants=True)
    assert [WORDS[id_] for id_ in ids] == ['Yes', 'yes', '▁Yes', '▁yes'], 'YES is none'


def test_an_answer_of_two_tokens_is_refused():
    with pytest.raises(ConfigError, match="'Yess' is not one token"):
        answer_ids(sentencepiece_like(), 'Q: A:', 'Yess')


def test_an_answer_that_changes_the_prompt_is_refused():
    tokenizer = Tokenizer(models.WordLevel({'Q:': 0, 'Q:Yes': 1, 'Yes': 2, '?': 3}, unk_token='?'))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    with pytest.raises(ConfigError, match='not one token'):
        answer_ids(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token='?'), 'Q:', 'Yes')


def test_two_answers_with_one_token_are_refused():
    with pytest.raises(ConfigError, match='in common'):
        pair_ids(sentencepiece_like(), 'Q: A:', ('Yes', 'Yes'))
    with pytest.raises(ConfigError, match='two words'):
        pair_ids(sentencepiece_like(), 'Q: A:', ('Yes',))
