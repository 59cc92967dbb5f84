"""mm2energon turns multimodal chat data into Megatron-Energon shards.

The layers; a module imports only from lines below its own, and neighbours on a line do not know each other:

    __main__
    cli
    commands  progress
    studio
    tuning
    review  videochat  speech
    pipeline
    formats  images  video  shards  pages
    targets  tokens  jsonplaces
    jsonio
    rules  jsonscan  remote  roots  stopwatch
    storage
    sample  jsonvalue  locks  terminal  database
    errors
"""

__version__ = "0.1.0"
