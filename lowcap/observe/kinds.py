"""The kinds of log records: what each is called, and the fixed id that the catalog explains it by.

An id once given is never given to anything else: operators' filters and
dashboards go by it. ``contrib/systemd/lowcap.catalog`` has a text for each.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind: its name, its MESSAGE_ID, where it belongs, and how bad it usually is."""

    name: str
    message_id: str
    area: str
    log: str
    level: str


_ALL = (
    Kind("news.signal", "34f845f1ee1742f0af3e2902709b007f", "signals", "signal", "info"),
    Kind("news.no-trade", "aaaed27d7e564d4b9f8e289d392ad852", "signals", "processing", "debug"),
    Kind("feed.frame-refused", "d0852c78890d4656b22826483d722efe", "feeds", "data", "warning"),
    Kind("feed.up", "b9a63b2d08a64e708217bddd1d591f07", "feeds", "connections", "info"),
    Kind("feed.stale", "8176b8f6b376428384297cc4e41e74e5", "feeds", "connections", "warning"),
    Kind("feed.lost", "762c487a4a774078a315355312a0ec90", "feeds", "connections", "warning"),
    Kind("signal.raised", "d95b66480a084c148498e336565af950", "signals", "detections", "info"),
    Kind("guard.blocked", "29cf9780af1241c8bc51019f4d412d43", "orders", "guards", "warning"),
    Kind(
        "risk.refused", "acaf2ca666c94baba113b61b2acb1524", "orders", "risk_validation", "warning"
    ),
    Kind("leverage.refused", "8a875659b43548509236a91766884644", "orders", "leverage", "warning"),
    Kind("order.entry", "411fe9bcb0474edf829c4c411319251b", "orders", "placements", "info"),
    Kind("order.stop", "59c3aa56201941a19fe13b0558c4b5c2", "orders", "placements", "info"),
    Kind("order.take-profit", "94c0d3844844489491615faf5d9da400", "orders", "placements", "info"),
    Kind("order.close", "087ab330fe474c409210d4ba287c23cd", "orders", "placements", "info"),
    Kind("order.sent", "95a61e7b61c14eeca110555aa6a698e0", "trading", "performance", "debug"),
    Kind("order.updated", "3767449ec4084d418980c490a707f4d0", "orders", "executions", "debug"),
    Kind("order.rejected", "ca8bbb981c9d4d0b879eb9001b917403", "orders", "rejections", "warning"),
    Kind("order.filled", "397cb1e21bd64eb9a346e8449357d24e", "orders", "executions", "info"),
    Kind("order.cancel-asked", "ed90724bbc384b79930797f281a34208", "orders", "placements", "debug"),
    Kind("order.unknown", "8b3b8322d55c4cfa9210f20111fd6bfe", "orders", "executions", "warning"),
    Kind("order.settled", "6564b2b073924021ba9158937e786cc6", "orders", "executions", "info"),
    Kind("position.closed", "c6e3cdc1890041d6a3a4538f4a134b99", "trading", "pnl", "info"),
    Kind("income.seen", "323c13e9c07c4414b486f746bd1d7670", "trading", "pnl", "info"),
    Kind("income.read", "631196dc2c744966900b60c97920574c", "trading", "pnl", "debug"),
    Kind("equity.seen", "6d1662cc3f314d118f11b166a8e42282", "trading", "pnl", "debug"),
    Kind("equity.marked", "5886460f7d4b4903978ab71102019865", "trading", "pnl", "debug"),
    Kind("stop.moved", "175e6328618c4771ae9b0ac7a326874a", "trading", "general", "warning"),
    Kind("hold.reducing", "4724dc70c9e54bc59fd1a449a83c8cdf", "system", "app", "warning"),
    Kind("hold.halted", "41d72bb15f0f4c51bff9ce1f8ba7eaf3", "system", "app", "warning"),
    Kind("hold.lifted", "acf931b6d9a6424f848c3f077bc4676e", "system", "app", "info"),
    Kind("reconcile.clean", "a460dea4f301424aa9da63241ee63827", "system", "app", "info"),
    Kind("reconcile.diff", "72c8ae38c76547f1805ff77c6fc550dd", "system", "app", "warning"),
    Kind("daemon.started", "9da3a0cf03044ee1a1682a6c3b13f6eb", "system", "startup", "info"),
    Kind("daemon.recovered", "15c01685441b4182bb1e05790ef45223", "system", "startup", "info"),
    Kind("daemon.ended", "09e3e6ec716847218e59625a3c598ec3", "system", "startup", "info"),
    Kind("daemon.signal", "2565e60bdbc0416583ae937860ec03e7", "system", "startup", "info"),
    Kind("daemon.failed", "7e81f266f38e40c69f7f18260c3886b6", "system", "errors", "critical"),
    Kind("daemon.not-ready", "3e63b8567d7c4c4c8e15bb337b89ac54", "system", "errors", "error"),
    Kind("breaker.open", "766475cda9bc4ae8883ec3ea1217b5d9", "system", "app", "warning"),
    Kind("breaker.half-open", "d19ae7dbdc1843d1b835ff32d8106fab", "system", "app", "warning"),
    Kind("breaker.closed", "2087eae5536948a390c25f11819946fd", "system", "app", "info"),
    Kind("command.received", "a685626ba3c74b28aaa18da8762a33be", "control", "app", "info"),
    Kind("command.done", "7230f0c15d1045cbb6c6e7b11271576b", "control", "app", "info"),
    Kind("command.refused", "c8a68f31742e4b1589faf6e7f957b41c", "control", "app", "warning"),
    Kind("command.bug", "f0c2abc0f5e14f84ae9079d00689f7a2", "control", "errors", "error"),
    Kind("session.opened", "b1a13a00e80d4ec79cefac8cf9d31f47", "control", "app", "info"),
    Kind("sink.changed", "1abf230e67414895bb15f98faf4c85b4", "system", "app", "warning"),
    Kind("switch.changed", "7e9ab20db1b94af196a8685085abea9a", "system", "app", "warning"),
    Kind("config.reloaded", "deafbad1cb1e490bbf24d9e3de3c01c3", "system", "app", "warning"),
    Kind("config.refused", "e3ac1dac7ab74210b7fb756806889e0e", "system", "errors", "error"),
    Kind("config.needs-restart", "b22ba7f7ff9444fb9b3e37255d7d9434", "system", "app", "warning"),
    Kind("config.unchanged", "f51d359995864571b9eee680ea77ede5", "system", "app", "info"),
    Kind("prices.upstream-lost", "ee6b36dc38bd42e7bb645ff3abd551aa", "system", "app", "warning"),
    Kind("paper.not-saved", "87bae16d2ff94b17b114c61924d4f3d0", "system", "errors", "error"),
    Kind("journal.dropped", "dfaa5d61d8274be19add99ae78106686", "system", "errors", "warning"),
    Kind("log.line", "d899a9adda2941d0bf0cdb335b35866d", "system", "app", "info"),
    Kind("alarm", "2b02fe46d5b3487294a7de48d810a9a1", "system", "errors", "error"),
    Kind("alarm.access-denied", "7703d45bb525493fb77f7ea9be379de1", "control", "errors", "error"),
    Kind("alarm.account-mode", "1182475c20684bacb61c26e3a1100da4", "system", "errors", "error"),
    Kind("alarm.brackets", "28d10e25dd674c7489605a56360299a1", "system", "errors", "error"),
    Kind("alarm.cancel", "5250d29475fe4684bf417e9c6be97712", "system", "errors", "error"),
    Kind("alarm.caps-failing", "7964bfc8c8ae40c282d1efea1ffdd135", "system", "errors", "error"),
    Kind("alarm.caps-stale", "82f1a979795248a2b94237f04ef70dd5", "system", "errors", "error"),
    Kind("alarm.captures", "cc8f90697c164b3f87f1f937521217e0", "system", "errors", "error"),
    Kind("alarm.close", "9bf6537cec9b454d8e5257b7d731e124", "system", "errors", "error"),
    Kind("alarm.command-bug", "75845361716a4a4b8409de56343d5775", "system", "errors", "error"),
    Kind("alarm.feed-backoff", "3d68c1829d3c4b69bcb006e7fef86f4a", "system", "errors", "error"),
    Kind("alarm.feed-fatal", "d54f8d8f67d444cf9f524dc94dd0e20d", "system", "errors", "error"),
    Kind("alarm.forced-close", "9e5d9c04bd624a52916c208e57f3a433", "system", "errors", "error"),
    Kind("alarm.income", "09ad6339a7d842ea935d234bd05f0ca9", "system", "errors", "error"),
    Kind("alarm.income-differs", "174350eed53b4f189241cbd4c7fff58d", "system", "errors", "error"),
    Kind("alarm.key-permissions", "f9287334c4c3418f8114f5f99e9821be", "system", "errors", "error"),
    Kind("alarm.latency-breach", "acee4d7b838641ef82b6b1fb601a396d", "system", "errors", "error"),
    Kind("alarm.ledger", "71b2b471783749df940d09c4696440f2", "system", "errors", "error"),
    Kind("alarm.ledger-corrupt", "924f27fc70b14f42b9e46b9a7d0103ee", "system", "errors", "error"),
    Kind("alarm.ledger-torn", "40f8f5d01e0342718eae92de045033fd", "system", "errors", "error"),
    Kind("alarm.left-unprotected", "b86cd9e037fd4cc6a1928b0e91ae9dcc", "system", "errors", "error"),
    Kind("alarm.leverage", "9d329352009d40e0876e2b88a8ecd301", "system", "errors", "error"),
    Kind("alarm.margin-call", "73add5d458eb48aaa1bb75aa5998d330", "system", "errors", "critical"),
    Kind("alarm.metrics", "b9a533dc0a144f82a7878fba329a70d7", "system", "errors", "error"),
    Kind("alarm.not-flat", "c3c1b968f0fe43c8b26982a007e8093c", "system", "errors", "error"),
    Kind("alarm.order-socket", "49ec908a82c6464b9acdd6de7822b002", "system", "errors", "error"),
    Kind("alarm.orphan", "4d1af2e1a1454e6a8e340f4a5d235423", "system", "errors", "error"),
    Kind("alarm.reload", "5d5e52c42a02465f93b39cec6e5dbb10", "system", "errors", "error"),
    Kind("alarm.shadow-stop", "979ff6a23435461998b914a2b80f0312", "system", "errors", "error"),
    Kind(
        "alarm.trigger-executions", "410f7409481c4cb8be79c712e46790b2", "system", "errors", "error"
    ),
    Kind("alarm.trigger-fault", "c73fb4d01c824cb7b8387847c8b151c1", "system", "errors", "error"),
    Kind("alarm.trigger-rejected", "24416739fbfc40d78f57c797e27fd621", "system", "errors", "error"),
    Kind("alarm.unprotected", "8c2f739430aa486792c1d698f9cca9a0", "system", "errors", "error"),
    Kind("alarm.user-event", "aee8a954ec0c462cb32ad0c6aab5c61b", "system", "errors", "error"),
    Kind("alarm.user-stream", "f96a515f8916413b9b4bb90ed3ed9d5b", "system", "errors", "error"),
    Kind("alarm.venue-file", "d821487e89ff4eb2b58ec855265915bb", "system", "errors", "error"),
    Kind("alarm.venue-refuses", "23a36b4508264bb3ae991a45e1a54f09", "system", "errors", "error"),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
REMARK, ALARM = KINDS["log.line"], KINDS["alarm"]
