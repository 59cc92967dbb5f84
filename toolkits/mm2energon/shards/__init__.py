"""Shards: records in tars, the indexes beside them, Energon's metadata, and the way back to the samples.

keys      names of samples in a shard
index     what a shard holds and where, as rows
pickles   the lists of pictures that some readers want in one part
blocks    a file written in large blocks
writer    one tar and its `.tar.idx`, in one pass
metadata  the folder `.nv-meta` of a dataset
reader    shards and metadata read back, without Energon
energon   a split read back through Energon's own loader (needs the extra `energon`)
cooker    what turns a sample of a `crude` dataset into messages and pictures (needs the extra `energon`)
"""
