"""The state of one sampling run, shared by all systems that patch a model.

A new patch is a `run.SamplingPatch`: nodes/host/sampling.py puts it into a model, and each of its hooks begins with

    run = self.run_of(options)
    if not run.acts(options):
        return hidden_states
    rows, windows = run.rows(options, len(hidden_states)), run.windows(options)
    keys = run.keep((block, hidden_states.device), lambda: ...)
    index = run.keep_of_rows(rows, hidden_states.device, lambda: rows.take(n))

`run.keep` computes a value once in a sampling run, `run.keep_of_rows` once for each make-up of a call's rows.
`rows.take(n)` says which of n pictures each row takes, and which rows are unconditioned. `windows` says which piece of
the latent each conditioning has; `grid_masks.mask_on_grid` lays that piece of a mask on a block's grid. Inside `with
problems_of(self.owner)` an error is prefixed with the name of the node. What only changes the latent between steps,
such as a mix of two sources, is one `masked_fusion.FusionLayer` for each source.
"""
