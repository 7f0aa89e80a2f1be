from cisgram.personal.fit_config import FitConfig
from cisgram.report import words


def test_unknown_numbers_are_a_dash() -> None:
    assert words.number(float("nan")) == "–"
    assert words.percent(None) == "–"


def test_a_negative_zero_has_no_sign() -> None:
    assert words.number(-0.0001) == "0.000"


def test_settings_are_one_column_when_the_models_agree() -> None:
    shared = words.settings([FitConfig(model="lasso"), FitConfig(model="ridge")])
    assert shared.columns == ("every model",)
    apart = words.settings([FitConfig(model="lasso"), FitConfig(model="ridge", window=5)])
    assert apart.columns == ("lasso", "ridge (BLUP)")
    assert apart.rows[0][1] == ("1,000,000", "5")


def test_no_folds_measure_across_populations() -> None:
    across = FitConfig(train_populations=("FIN",), test_populations=("GBR",))
    assert ("Folds that measure accuracy", ("none",)) in words.settings([across]).rows


def test_every_setting_has_a_name_in_words() -> None:
    assert all(" " in name for name, _ in words.settings([FitConfig()]).rows)


def test_numbered_names_are_ranges() -> None:
    names = ["sex", "PC1", "PC2", "PC3", "PC5", "age", "7"]
    assert words.ranges(names) == "sex, PC1 to PC3, PC5, age, 7"
