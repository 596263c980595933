"""Addresses of the dashboard, below ``/dashboard/``."""

from django.urls import path

from labelhub.dashboard import actions, replay_views, views

app_name = "dashboard"
urlpatterns = [
    path("", views.projects, name="projects"),
    path("<slug:slug>/", views.cockpit, name="cockpit"),
    path("<slug:slug>/answers/", views.answers, name="answers"),
    path("<slug:slug>/round/", views.latest_round, name="round"),
    path("<slug:slug>/details/", views.details, name="details"),
    path("<slug:slug>/stats.json", views.stats_json, name="stats"),
    path("<slug:slug>/rounds.csv", views.rounds_csv, name="rounds_csv"),
    path("<slug:slug>/run/", actions.run_round, name="run_round"),
    path("<slug:slug>/pause/", actions.pause, name="pause"),
    path("<slug:slug>/resume/", actions.resume, name="resume"),
    path("<slug:slug>/rollback/", actions.rollback, name="rollback"),
    path("<slug:slug>/reports/", views.reports, name="reports"),
    path("<slug:slug>/contested/", views.contested, name="contested"),
    path("<slug:slug>/replay/", replay_views.replay, name="replay"),
    path("<slug:slug>/replay/data", replay_views.replay_data, name="replay_data"),
    path("<slug:slug>/label-errors/", views.label_errors, name="label_errors"),
    path("<slug:slug>/images/<int:image_id>/", views.image, name="image"),
    path("<slug:slug>/images/<int:image_id>/gold/", actions.mark_gold, name="mark_gold"),
    path(
        "<slug:slug>/images/<int:image_id>/gold/correct/", actions.correct_gold, name="correct_gold"
    ),
    path(
        "<slug:slug>/images/<int:image_id>/gold/confirm/", actions.confirm_gold, name="confirm_gold"
    ),
    path("<slug:slug>/images/<int:image_id>/ask-again/", actions.ask_again, name="ask_again"),
    path(
        "<slug:slug>/images/<int:image_id>/gold/take-back/",
        actions.take_back_gold,
        name="take_back_gold",
    ),
    path("<slug:slug>/images/<int:image_id>/exclude/", actions.exclude, name="exclude"),
    path("<slug:slug>/images/<int:image_id>/keep/", actions.keep, name="keep"),
    path(
        "<slug:slug>/images/<int:image_id>/picture",
        views.picture,
        {"tile": False},
        name="picture",
    ),
    path("<slug:slug>/images/<int:image_id>/tile", views.picture, {"tile": True}, name="tile"),
]
