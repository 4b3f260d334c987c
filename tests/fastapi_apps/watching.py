"""Have each generator function of a module report when it begins and ends, in which task, and in which order.

``watch`` changes the text of a module: the body of each generator function runs inside of ``watched.Watched``. One
that is an argument of ``Depends()`` reports as a dependency, any other as a source. So the apps themselves hold nothing
that measures.
"""

import ast
from typing import cast

Function = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def watch(text: str, endless: bool = False) -> str:
    """Return the module *text*, watched. *endless*: each source begins again when it is over, after a pause."""
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    depends = [call.args[0] for call in calls if cast(ast.Name, call.func).id == "Depends"]
    _Watcher({node.id for node in depends if isinstance(node, ast.Name)}, endless).visit(tree)
    return "import watched\n" + ast.unparse(ast.fix_missing_locations(tree))


def with_session(text: str) -> str:
    """Return the watched module *text* with a dependency of all routes, which yields."""
    return text.replace("FastAPI()", "FastAPI(dependencies=watched.dependencies())")


class _Watcher(ast.NodeTransformer):
    def __init__(self, dependencies: set[str], endless: bool) -> None:
        self.dependencies, self.endless = dependencies, endless

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Function:
        return self._visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Function:
        return self._visit(node)

    def _visit(self, node: Function) -> Function:
        self.generic_visit(node)
        if _yields(node):
            kind = "dependency" if node.name in self.dependencies else "source"
            is_async = isinstance(node, ast.AsyncFunctionDef)
            body = node.body
            if self.endless and kind == "source":
                body = [ast.While(ast.Constant(True), [*body, _statement(_pause(is_async))], [])]
            entered = [ast.withitem(_expression(f"watched.Watched({kind!r})"))]
            node.body = [ast.AsyncWith(entered, body) if is_async else ast.With(entered, body)]
        return node


def _yields(function: Function) -> bool:
    """Return whether *function* itself has a ``yield``, and not a function in it."""
    nodes: list[ast.AST] = list(function.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, SCOPES):
            nodes.extend(ast.iter_child_nodes(node))
    return False


def _pause(is_async: bool) -> str:
    return "await watched.pause()" if is_async else "watched.blocking_pause()"


def _statement(text: str) -> ast.stmt:
    return ast.Expr(_expression(text))


def _expression(text: str) -> ast.expr:
    return cast(ast.Expr, ast.parse(text).body[0]).value
