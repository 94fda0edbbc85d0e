import torch

from projects.tiny_mllm.assemble import make_model, train_tokenizer
from projects.tiny_mllm.packed import answer, pack


def test_packed_questions_get_the_answers_that_each_gets_alone():
    torch.manual_seed(0)
    tokenizer = train_tokenizer(['Is it a bird?'])
    model = make_model(tokenizer).eval()
    pixel_values = torch.randn(2, 3, 160, 160)
    image, size = model.config.image_token_index, len(tokenizer)
    prefix = [2, *[image] * 25]
    draw = torch.Generator().manual_seed(1)
    questions = [
        [torch.randint(5, size, (length,), generator=draw).tolist() for length in lengths]
        for lengths in ((3, 7, 1), (2, 2, 5))
    ]
    with torch.no_grad():
        features = model.model.vision_tower.patch_features(pixel_values)
        packed = answer(model, features, pack(prefix, questions))
        for row, asked in enumerate(questions):
            for number, question in enumerate(asked):
                ids = torch.tensor([prefix + question])
                alone = model(input_ids=ids, pixel_values=pixel_values[row : row + 1]).logits[0, -1].log_softmax(-1)
                torch.testing.assert_close(packed[row, number], alone, atol=1e-4, rtol=1e-4)
