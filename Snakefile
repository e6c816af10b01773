# Unlike `include:`, this keeps the default target, so that plain `snakemake` runs everything.
workflow.include("workflow/Snakefile", overwrite_default_target=True)
