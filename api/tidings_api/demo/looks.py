"""The looks of the users' applications on the demo page: words, language, and the theme of `user.css`."""

from typing import Final

from msgspec import Struct, structs


class Look(Struct, frozen=True):
    """The words of an application, and its theme. `greeting` has a place for the user's name."""

    theme: str = "plain"
    language: str = "en"
    direction: str = "ltr"
    heading: str = "Parcels"
    greeting: str = "Good to see you, {name}"
    first: str = "Espresso machine"
    second: str = "Desk lamp"
    third: str = "Two books"
    under_way: str = "On its way"
    done: str = "Delivered"


LOOKS: Final = {
    "plain": Look(),
    "dashboard": Look(theme="dashboard", heading="Operations", greeting="Good morning, {name}"),
    "shop": Look(theme="shop", heading="Maison & Co."),
    "arabic": Look(
        theme="arabic",
        language="ar",
        direction="rtl",
        heading="الطرود",
        greeting="أهلاً بك يا {name}",
        first="آلة قهوة",
        second="مصباح مكتب",
        third="كتابان",
        under_way="في الطريق",
        done="تم التسليم",
    ),
}


def words(look: Look, name: str) -> dict[str, str]:
    """The values of the page's template for a user with this name."""
    return {**structs.asdict(look), "greeting": look.greeting.format(name=name), "name": name}
