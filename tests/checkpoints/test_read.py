"""Reading a checkpoint runs no code from it, and what cannot be read is one message that names the file."""

import pickle
import random
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.optim.scheduler import OneCycleLR

from makd.checkpoints import read_checkpoint
from makd.errors import ConfigError

WEIGHTS = {'backbone.weight': torch.arange(6.0).reshape(2, 3)}


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


class TouchThroughAllowedClass:
    """Evaluates text when mmengine unpickles it with ``weights_only=True``, which allows getattr and HistoryBuffer."""

    def __init__(self, code):
        self.code = code

    def pickled(self):
        def string(text):
            return pickle.BINUNICODE + len(text).to_bytes(4, 'little') + text.encode()

        def attribute(owner, name):
            return b'cbuiltins\ngetattr\n' + owner + string(name) + pickle.TUPLE2 + pickle.REDUCE

        get = b'cbuiltins\ngetattr\n'
        run = attribute(attribute(get, '__self__'), 'eval')
        buffer = b'cmmengine.logging.history_buffer\nHistoryBuffer\n)' + pickle.NEWOBJ
        state = pickle.EMPTY_DICT + string('__setstate__') + run + pickle.SETITEM
        return b'\x80\x02' + buffer + state + pickle.BUILD + string(self.code) + pickle.BUILD + pickle.STOP


def write_raw_pickle(path, content):
    """Write a file of torch whose pickle has these bytes."""
    torch.save({}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
        for name, old in members.items():
            archive.writestr(name, content if name.endswith('data.pkl') else old)


@pytest.fixture
def malicious(tmp_path):
    """Return the paths of two checkpoints that create the file ``ran`` when they are unpickled."""
    ran = tmp_path / 'ran'
    torch.save({'state_dict': WEIGHTS, 'meta': {'extra': Touch(str(ran))}}, tmp_path / 'plain.pth')
    write_raw_pickle(tmp_path / 'hidden.pth', TouchThroughAllowedClass(f'open({str(ran)!r}, "w")').pickled())
    return [tmp_path / 'plain.pth', tmp_path / 'hidden.pth']


def test_code_in_a_checkpoint_does_not_run(malicious, tmp_path):
    for path in malicious:
        with pytest.raises(ConfigError, match=rf'load_from: .*{path.name}.* contains a Python object.*MAKD_TRUST'):
            read_checkpoint(str(path), 'load_from')
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('prefix', [None, 'backbone.'])
def test_code_does_not_run_in_weights_that_a_model_names_itself(malicious, tmp_path, prefix):
    for path in malicious:
        init = dict(type='Pretrained', checkpoint=str(path), prefix=prefix)
        with pytest.raises(ConfigError, match='contains a Python object'):
            BaseModule(init_cfg=init).init_weights()
    assert not (tmp_path / 'ran').exists()


def test_a_file_can_be_trusted_by_its_name(malicious, tmp_path, monkeypatch):
    monkeypatch.setenv('MAKD_TRUST_CHECKPOINT', str(tmp_path / 'other.pth'))
    with pytest.raises(ConfigError, match='contains a Python object'):
        read_checkpoint(str(malicious[0]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MAKD_TRUST_CHECKPOINT', 'plain.pth')
    assert torch.equal(read_checkpoint(str(malicious[0]))['state_dict']['backbone.weight'], WEIGHTS['backbone.weight'])
    assert (tmp_path / 'ran').exists()


def test_a_url_is_read_as_safely_and_from_the_cache(malicious, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    cache = tmp_path / 'hub' / 'checkpoints'
    cache.mkdir(parents=True)
    malicious[0].rename(cache / 'a-01234567.pth')
    torch.save(WEIGHTS, cache / 'b-01234567.pth')  # as published files are called, after a hash of their content
    url = 'https://host/x/a-01234567.pth?v=1'
    with pytest.raises(ConfigError, match=rf'a-01234567\.pth.* \(from {re.escape(url)}\) contains a Python object'):
        read_checkpoint(url)
    assert not (tmp_path / 'ran').exists()
    assert read_checkpoint('https://host/x/b-01234567.pth')['state_dict'].keys() == WEIGHTS.keys()
    monkeypatch.setenv('MAKD_TRUST_CHECKPOINT', url)
    read_checkpoint(url)
    assert (tmp_path / 'ran').exists()


def test_files_of_one_name_at_two_addresses_are_two_files(tmp_path, monkeypatch):
    """Every run calls its last checkpoint epoch_40.pth."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))

    def download(url, file, progress):
        torch.save({'w': torch.full((1,), float(url.split('/')[3]))}, file)

    monkeypatch.setattr('torch.hub.download_url_to_file', download)
    for number in (1, 2, 1):
        assert read_checkpoint(f'https://host/{number}/epoch_40.pth')['state_dict']['w'].item() == number


def test_a_download_that_fails_names_its_address(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))

    def fail(url, file, progress):
        raise OSError('HTTP Error 404: Not Found')

    monkeypatch.setattr('torch.hub.download_url_to_file', fail)
    with pytest.raises(ConfigError, match=r'load_from: https://host/a\.pth cannot be downloaded: HTTP Error 404'):
        read_checkpoint('https://host/a.pth', 'load_from')


def test_what_mmengine_writes_is_read(tmp_path):
    """Histories, numpy's numbers, nested configs, and functions of a schedule."""
    buffer = HistoryBuffer()
    buffer.update(2.0)
    buffer.update(4.0, 3)
    buffer._statistics_methods = dict(buffer._statistics_methods)
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=0.1)
    schedule = OneCycleLR(optimizer, eta_max=1.0, total_steps=10).state_dict()
    numbers = [np.float64(1.5), np.int64(2), np.float32(0.5), np.bool_(True), np.str_('a'), np.arange(3)]
    meta = {'dataset_meta': ConfigDict(classes=('cat', 'dog'), palette=[(1, 2, 3)]), 'epoch': 3, 'numbers': numbers}
    content = {'state_dict': WEIGHTS, 'meta': meta, 'message_hub': {'loss': buffer}, 'param_schedulers': [schedule]}
    torch.save(content, tmp_path / 'a.pth')

    found = read_checkpoint(str(tmp_path / 'a.pth'))
    assert torch.equal(found['state_dict']['backbone.weight'], WEIGHTS['backbone.weight'])
    assert found['meta']['dataset_meta'] == {'classes': ('cat', 'dog'), 'palette': [(1, 2, 3)]}
    assert found['meta']['numbers'][:5] == numbers[:5]
    assert found['meta']['numbers'][5].tolist() == [0, 1, 2]
    assert found['message_hub']['loss'].mean() == 1.5  # (2 + 4) / (1 + 3)
    assert found['message_hub']['loss'].statistics('max') == 4.0
    assert found['param_schedulers'][0]['anneal_func'] is OneCycleLR._annealing_cos


def test_numpy_1_and_2_name_their_functions_differently(tmp_path):
    dtype = b'cnumpy\ndtype\n' + pickle.BINUNICODE + b'\x02\0\0\0f8' + b'\x89\x88\x87R'
    state = b'(K\x03' + pickle.BINUNICODE + b'\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb'
    data = pickle.BINUNICODE + len('\0\0\0\0\0\0ø?'.encode()).to_bytes(4, 'little') + '\0\0\0\0\0\0ø?'.encode()
    number = b'c_codecs\nencode\n' + data + pickle.BINUNICODE + b'\x06\0\0\0latin1' + b'\x86R'
    for core in (b'core', b'_core'):
        scalar = b'cnumpy.%b.multiarray\nscalar\n' % core + dtype + state + number + b'\x86R'
        pickled = b'\x80\x02}' + pickle.BINUNICODE + b'\x04\0\0\0meta' + b'}'
        pickled += pickle.BINUNICODE + b'\x04\0\0\0best' + scalar + b'ss.'
        write_raw_pickle(tmp_path / 'a.pth', pickled)
        with pytest.raises(ConfigError, match=r"has no 'state_dict'; its keys are \['meta'\]"):
            read_checkpoint(str(tmp_path / 'a.pth'))


def test_the_format_before_torch_1_6_is_read_as_safely(tmp_path):
    for name, content in (('a', {'state_dict': WEIGHTS}), ('b', {'state_dict': WEIGHTS, 'x': Touch(tmp_path / 'ran')})):
        torch.save(content, tmp_path / f'{name}.pth', _use_new_zipfile_serialization=False)
    found = read_checkpoint(str(tmp_path / 'a.pth'))['state_dict']
    assert torch.equal(found['backbone.weight'], WEIGHTS['backbone.weight'])
    with pytest.raises(ConfigError, match=r'b\.pth.* contains a Python object'):
        read_checkpoint(str(tmp_path / 'b.pth'))
    assert not (tmp_path / 'ran').exists()


def test_a_bare_state_dict_has_no_meta(tmp_path):
    torch.save(WEIGHTS, tmp_path / 'a.pth')
    found = read_checkpoint(str(tmp_path / 'a.pth'))
    assert (list(found), found['meta']) == (['state_dict', 'meta'], {})


def save(content):
    return lambda path: torch.save(content, path)


def write(content):
    return lambda path: path.write_bytes(content)


def truncate(bytes_lost):
    def write_part(path):
        torch.save({'state_dict': WEIGHTS, 'optimizer': torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:-bytes_lost])

    return write_part


UNREADABLE = {
    'empty': (write(b''), 'is empty'),
    'end lost': (truncate(100), 'damaged or cut off'),
    'directory lost': (truncate(1000), 'damaged or cut off'),
    'half lost': (truncate(2500), 'damaged or cut off'),
    'other bytes': (write(b'no checkpoint'), 'is not a torch checkpoint'),
    'HTML': (write(b'\n<!DOCTYPE html>\n<html>not found</html>'), 'is an HTML page'),
    'LFS': (write(b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'), 'git lfs pull'),
    'archive': (write(b'PK\x05\x06' + bytes(18)), 'is not a torch checkpoint'),
    'module': (save(torch.nn.Linear(1, 1)), r'contains a Python object, torch\.nn\.modules\.linear\.Linear'),
    'TorchScript': (lambda path: torch.jit.script(torch.nn.ReLU()).save(str(path)), 'is not a torch checkpoint'),
    'list': (save([WEIGHTS]), r'holds list, not a state dict'),
    'empty dict': (save({}), 'holds an empty dict'),
    'no meta': (save({'state_dict': WEIGHTS, 'meta': None}), 'its meta is a NoneType'),
    'no weights': (save({'meta': {}}), r"has no 'state_dict'; its keys are \['meta'\]"),
    'other key': (save({'model': WEIGHTS, 'epoch': 3}), r"has no 'state_dict'.*checkpoint\['model'\]"),
    'state_dict of None': (save({'state_dict': None}), 'its state_dict does not hold tensors'),
    'nested': (save({'state_dict': {'model': WEIGHTS}}), 'its state_dict does not hold tensors'),
}


@pytest.mark.parametrize('kind', UNREADABLE)
def test_what_cannot_be_read_is_one_message_that_names_the_file(kind, tmp_path):
    make, message = UNREADABLE[kind]
    make(tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match=rf'(?s)^load_from: .*a\.pth.*{message}'):
        read_checkpoint(str(tmp_path / 'a.pth'), 'load_from')


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(ConfigError, match='load_from: there is no checkpoint'):
        read_checkpoint(str(tmp_path), 'load_from')


def test_a_whole_model_is_refused_even_if_it_is_trusted(tmp_path, monkeypatch):
    torch.save(torch.nn.Linear(1, 1), tmp_path / 'a.pth')
    monkeypatch.setenv('MAKD_TRUST_CHECKPOINT', str(tmp_path / 'a.pth'))
    with pytest.raises(ConfigError, match=r'a\.pth.* holds a whole Linear, not a state dict'):
        read_checkpoint(str(tmp_path / 'a.pth'))


def damage(content, generator):
    """Return bytes after up to five changes: other bytes, bytes that are lost or inserted, and a lost end."""
    content = bytearray(content)
    for _ in range(generator.randint(1, 5)):
        place = generator.randrange(len(content))
        change = generator.choice(['other', 'lost', 'inserted', 'end'])
        if change == 'other':
            content[place] = generator.randrange(256)
        elif change == 'lost':
            del content[place : place + generator.randint(1, 50)]
        elif change == 'inserted':
            content[place:place] = generator.randbytes(generator.randint(1, 20))
        else:
            del content[place + 1 :]
        content = content or bytearray(1)
    return bytes(content)


@pytest.mark.parametrize('zipped', [True, False])
def test_damage_anywhere_is_a_message_that_names_the_file(zipped, tmp_path):
    meta = {'epoch': 3, 'dataset_meta': {'classes': ['cat', 'dog']}, 'best': np.float64(0.5)}
    content = {'state_dict': WEIGHTS, 'meta': meta, 'message_hub': {'loss': HistoryBuffer([1.0], [1])}}
    torch.save(content, tmp_path / 'whole.pth', _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / 'whole.pth').read_bytes()
    generator = random.Random(0)
    refused = 0
    for _ in range(200):
        (tmp_path / 'damaged.pth').write_bytes(damage(whole, generator))
        try:
            read_checkpoint(str(tmp_path / 'damaged.pth'))
        except ConfigError as error:
            assert 'damaged.pth' in str(error)  # noqa: PT017, not each damage is noticed
            refused += 1
    assert refused > 150
