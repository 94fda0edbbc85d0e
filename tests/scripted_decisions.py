"""What a scripted server of decisions gets and sends, by the types of OpenAI's own client."""

import base64
import io

from openai.types.decision_create_params import DecisionCreateParams
from PIL import Image
from pydantic import TypeAdapter
from scripted_server import Reply

REFUSAL = {'type': 'refusal'}


def decision(answers, tokens=1000, cached=0):
    """Return a decision with these answers: probabilities, or dicts, by name."""
    content = [
        {'name': name, **(answer if isinstance(answer, dict) else {'type': 'predicate', 'probability': answer})}
        for name, answer in answers
    ]
    return Reply(
        {
            'answers': content,
            'model': 'gpt-6-luna-2026-10-06',
            'usage': {
                'input_tokens': tokens,
                'input_tokens_details': {'cache_write_tokens': 0, 'cached_tokens': cached},
                'output_tokens': len(content),
                'output_tokens_details': {'reasoning_tokens': 0},
                'total_tokens': tokens + len(content),
            },
        }
    )


def names(request):
    """The names of the questions."""
    return [question['name'] for question in request.body['questions']]


def image_of(request):
    """The image of a request, which has the documented form."""
    TypeAdapter(DecisionCreateParams).validate_python(request.body)
    (message,) = request.body['input']
    (picture,) = message['content']
    return Image.open(io.BytesIO(base64.b64decode(picture['image_url'].split(',')[1])))
