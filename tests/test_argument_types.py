from makd.argument_types import wrong_values


class Base:
    def __init__(self, count: int, questions: list, name: str = '') -> None: ...


class Derived(Base):
    """Takes the path of the questions in their place."""

    def __init__(self, questions, **kwargs):
        super().__init__(questions=[questions], **kwargs)


def test_arguments_are_those_of_the_class_and_of_the_bases_that_it_passes_them_on_to():
    assert dict(wrong_values(Base, dict(count='1', questions='path'))).keys() == {'count', 'questions'}
    assert dict(wrong_values(Derived, dict(count='1', questions='path', name='n'))).keys() == {'count'}
