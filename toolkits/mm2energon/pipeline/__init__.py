"""Pipeline: what the commands do, composed of the layers below; it holds the one loop and the account.

Each module says in its first sentence what it is; docs/architecture.md says how they work together.

What every command stands on:
    loop pool worker account report ledger standing alone retry writing machine space traffic known

Where the loop runs besides here:
    carried under_way on_ray ray_cluster on_slurm array array_stage array_share simulate simulate_measured

Annotations below a root, and `frames`:
    sources rebase annotations place frames_job frames videos extract

Archives from outside:
    archives archive_member archive_stream archive_tar archive_zip box

`shard`: plan, run, finalize:
    shard_job shard plan parts prepare mending media planned budget collect numbers splits dealing arrange run
    media_reader finalize output

Datasets in an object store:
    mirror mirror_copies mirror_listing mirrors brought name_index stored stored_root stored_file stored_shards
    lease

Annotation files to others:
    normalize filter filter_check filter_fit filter_folders filter_pictures filter_rules mix mix_choice
    mix_shares text_frames text_folders

`convert`:
    convert convert_entries convert_parts convert_media convert_stored convert_frames reshaping rows unshard
    companions

`verify`, `info` and `retarget`:
    verify verify_shards verify_catalog verify_metadata verify_energon verify_indexed verify_sources
    verify_against verify_pictures verify_findings record_content record_faults row_faults describe

`doctor` and `repair`:
    doctor doctor_tars doctor_records doctor_metadata doctor_sources doctor_findings repair repair_mend
    repair_write

`report`:
    survey survey_plan survey_read survey_sample survey_pictures survey_numbers survey_measures survey_copies
    survey_alike survey_wording survey_account survey_cards survey_page survey_page_splits survey_page_samples
    survey_page_copies survey_told survey_write

`blend`:
    blend blend_recipe blend_dataset blend_nested blend_subset
"""
