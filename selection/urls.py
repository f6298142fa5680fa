"""Pages of selection: rounds, for engineers of a project; similar items, for its reviewers."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from selection.views import grid, pool, prompts, rounds, values

app_name = "selection"
_ROUNDS = "admin/p/<slug:slug>/rounds"
_VALUES = "admin/p/<slug:slug>/value"
_POOL = "admin/p/<slug:slug>/pool"
_PROMPTS = "admin/p/<slug:slug>/prompts"
urlpatterns: list[URLPattern | URLResolver] = [
    path("p/<slug:slug>/grid", grid.grid, name="grid"),
    path(_POOL, pool.detail, name="pool"),
    path(f"{_POOL}/live", pool.live, name="pool_live"),
    path(f"{_POOL}/embed", pool.embed, name="pool_embed"),
    path(f"{_POOL}/index", pool.index, name="pool_index"),
    path(f"{_POOL}/layer", pool.layer, name="pool_layer"),
    path(f"{_POOL}/refresh", pool.refresh, name="refresh_now"),
    path(f"{_POOL}/policy", pool.policy, name="refresh_policy"),
    path(f"{_POOL}/builds/<uuid:uuid>/cancel", pool.cancel, name="build_cancel"),
    path(f"{_POOL}/builds/<uuid:uuid>/retry", pool.retry, name="build_retry"),
    path(_PROMPTS, prompts.index, name="prompts"),
    path(f"{_PROMPTS}/launch", prompts.launch, name="prompts_launch"),
    path(f"{_PROMPTS}/status", prompts.status, name="prompts_status"),
    path(_VALUES, values.index, name="values"),
    path(f"{_VALUES}/launch", values.launch, name="values_launch"),
    path(f"{_VALUES}/status", values.status, name="values_status"),
    path(f"{_ROUNDS}", rounds.index, name="rounds"),
    path(f"{_ROUNDS}/launch", rounds.launch, name="launch"),
    path(f"{_ROUNDS}/preview/<uuid:uuid>", rounds.preview, name="preview"),
    path(f"{_ROUNDS}/<int:number>", rounds.detail, name="round"),
    path(f"{_ROUNDS}/<int:number>/live", rounds.live, name="round_live"),
    path(f"{_ROUNDS}/<int:number>/cancel", rounds.cancel, name="cancel"),
    path(f"{_ROUNDS}/<int:number>/retry", rounds.retry, name="retry"),
    path(f"{_ROUNDS}/<int:number>/replay", rounds.replay, name="replay"),
    path(f"{_ROUNDS}/<int:number>/replay/status", rounds.replay_status, name="replay_status"),
]
