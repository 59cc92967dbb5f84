"""Review: a dataset that people look at, decide on, and export; the data themselves are never changed.

The front, and the words that all use:
    review reading opened opening model

What is reviewed:
    sources csv_source csv_rows shards_source entries identities

The index:
    indexing facets columns texts views items alike

What was decided:
    journal appending deciding editing decisions tables waiting standing book moves assignment agreement

What becomes of it:
    export_job export export_select export_media export_records export_splits export_files templates
    export_shards export_log csv_update csv_backup statistics statistics_told
"""
