# The same from a model on this machine, with llama.cpp's server:
#   pip install 'llama-cpp-python[server]'
#   python -m llama_cpp.server --model MODEL.gguf --n_ctx 8192
# python tools/write_questions.py configs/questions/emoji_llama_cpp.py
_base_ = ['emoji_gpt4o.py']

client = dict(
    model='local',
    base_url='http://localhost:8000/v1',
    api_key_env='LLAMA_API_KEY',  # so that no other server's key is sent
    timeout=600.0,
    _delete_=True,
)
# Shorter prompts leave half of the context for the reply.
question_writer = dict(max_prompt_tokens=3000, parameters=dict(temperature=0.7, max_tokens=4000))
out = 'work_dirs/questions/emoji_llama_cpp.json'
