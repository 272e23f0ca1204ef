"""The wire models that Groundwork's services share. Pydantic only; no behaviour beyond validation.

One module a subject: `errors`, `pages`, `collections`, `documents`, `jobs`, `indexing`, `search`, `chat`,
`citations`, `receipts`, `models`, `keys`, `health`, `delegation`. Import from the module, not from here.
"""
