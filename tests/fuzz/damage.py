"""Strategies for what files and values become by accident, or by somebody else's hand."""

from hypothesis import strategies as st

from makd.errors import MakdError


def outcome(function, *arguments):
    """Return the value of a call and '', or None and the message of an error of makd's."""
    try:
        return function(*arguments), ''
    except MakdError as error:
        return None, str(error)


# Text with everything that JSON allows in it, such as one half of a surrogate pair.
text = st.text(st.characters(codec=None), max_size=12)
numbers = st.integers() | st.floats()
json_values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def damaged(draw, content):
    """Draw a damaged form of the bytes of a file: cut off, changed, doubled, or something else altogether."""
    kind = draw(st.sampled_from(['cut', 'changed', 'inserted', 'other', 'padded']))
    if kind == 'other':
        return draw(st.binary(max_size=64))
    place = draw(st.integers(0, max(0, len(content) - 1)))
    if kind == 'cut':
        return content[:place]
    if kind == 'padded':
        return content + draw(st.binary(min_size=1, max_size=16))
    some = draw(st.binary(min_size=1, max_size=4))
    return content[:place] + some + content[place + (len(some) if kind == 'changed' else 0) :]


@st.composite
def damaged_json(draw, content):
    """Draw JSON values of which one, at any depth, is replaced, removed or added."""
    if isinstance(content, dict) and content and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(content)))
        if not draw(st.integers(0, 5)):
            return {k: v for k, v in content.items() if k != key}
        return {**content, key: draw(damaged_json(content[key]))}
    if isinstance(content, list) and content and draw(st.integers(0, 3)):
        index = draw(st.integers(0, len(content) - 1))
        if not draw(st.integers(0, 5)):
            return content[:index] + content[index + 1 :]
        return [*content[:index], draw(damaged_json(content[index])), *content[index + 1 :]]
    return draw(json_values)
