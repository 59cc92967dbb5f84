"""Studio: the page on which people look at a dataset, export it, try a model on it and fine-tune it, and its server.

The modules of this folder import FastAPI at their top: who imports one of them does it inside a function, so that the
rest of mm2energon does without the extra `studio`.

The server:
    serve app settings state security login assets described answers

Reviewing:
    session items told changes checking checks record_checks exporting export_asked

Media and frames:
    media kinds sending showing previews frames strips decoding isolated outputs

Trying and fine-tuning:
    chat chat_events chat_videos trying kept finetune
"""
