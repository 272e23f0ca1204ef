"""Reading diffs and finding lines: what `examples/code_review` says of a place is what an editor shows there."""

from __future__ import annotations

from examples.code_review.diff import read_diff
from examples.code_review.source import Source

from extraction.text.code import parse

DIFF = """\
diff --git a/src/store.py b/src/store.py
--- a/src/store.py
+++ b/src/store.py
@@ -8,7 +8,7 @@ class Store:
     def get(self, name):
         return self._all[name]

-    def put(self, name, value):
+    def put(self, name, value, until):
         self._all[name] = value
         --count
         return value
@@ -30,3 +30,2 @@ def close():
     flush()
-    --- a line that looks like a header
     return
diff --git a/src/gone.go b/src/gone.go
--- a/src/gone.go
+++ /dev/null
@@ -1,2 +0,0 @@
-func (s *Store) Gone(a int) {
-}
\\ No newline at end of file
--- a/src/new.py\t2026-01-01
+++ b/src/new.py\t2026-01-02
@@ -0,0 +1,2 @@
+async def fresh():
+    pass
"""


def test_a_diff_tells_files_definitions_and_lines() -> None:
    store, gone, new = read_diff(DIFF)
    assert (store.path, store.touched, store.removed, store.lines) == (
        "src/store.py",
        {"put", "close"},
        set(),
        {11, 31},
    )
    assert (gone.path, gone.touched, gone.removed, gone.lines) == ("src/gone.go", {"Gone"}, {"Gone"}, {1, 2})
    assert (new.path, new.touched, new.removed, new.lines) == ("src/new.py", {"fresh"}, set(), set())


def test_what_is_no_diff_changes_nothing() -> None:
    assert read_diff("hello\n@@ -1 +1 @@\n-x\n+y\n") == []


def test_lines_are_those_of_the_file_though_blank_ones_are_left_out_of_the_text() -> None:
    original = "\n\nimport os\n\n\n\ndef first():\n    return 1   \n\n\n\ndef second():\n\n    return os.name\n"
    source = Source("x.py", original, parse(original).text)
    assert source.text != original
    for number, line in enumerate(source.lines, start=1):
        if line.strip():
            assert source.line_at(source.text.index(line.rstrip())) == number


def test_an_empty_file_has_a_first_line() -> None:
    assert Source("x.py", "", "").line_at(0) == 1
