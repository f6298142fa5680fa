"""The page on which a schema is edited: what was typed (draft), read from a form (reading), changed by a button
(edits). Drafts hold text as it was typed, so that nothing is lost where it is no schema yet."""
