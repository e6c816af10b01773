# `include:` would drop the default target; this keeps it, so that plain `snakemake` makes it all.
workflow.include("workflow/Snakefile", overwrite_default_target=True)
