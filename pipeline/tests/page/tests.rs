//! What a reader does on the page, and what they must see.

use std::future::Future;
use std::pin::Pin;

use crate::browser::{Outcome, Window};

/// A test: what it does in a window, with the service's address.
pub(crate) type Test = for<'a> fn(&'a Window, &'a str) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        /// All tests by name.
        pub(crate) const ALL: &[(&str, (&'static str, Test))] =
            &[$((stringify!($name), (stringify!($name), |window, service| Box::pin($name(window, service))))),*];
    };
}

tests![
    a_timeline_is_read_page_by_page,
    timelines_are_switched,
    feedback_acts,
    everything_goes_by_keyboard,
    a_post_is_written_and_found,
    it_fits_a_phone_in_light_and_dark,
    everything_has_a_name,
    without_a_token_it_asks_for_one,
];

const SHOWN: &str = "document.querySelectorAll('#feed article').length";
const IS_SHOWN: &str = "return document.querySelector('#feed').getAttribute('aria-busy') === 'false' && document.querySelectorAll('#feed article').length > 0";

async fn open(window: &Window, service: &str) -> Outcome {
    window.look(1280, 900, "light").await?;
    window.go(service).await?;
    window.until("the timeline shows", IS_SHOWN).await
}

async fn a_timeline_is_read_page_by_page(window: &Window, service: &str) -> Outcome {
    open(window, service).await?;
    window.picture("light").await?;
    let first = window.script(&format!("return {SHOWN}")).await?;
    let first = first.as_u64().ok_or("no number")?;
    window.script("window.scrollTo(0, document.body.scrollHeight)").await?;
    window.until("a second page comes by scrolling", &format!("return {SHOWN} > {first}")).await?;
    let unique = "const ids = [...document.querySelectorAll('#feed [data-entry]')].map((entry) => entry.dataset.entry);
                  return new Set(ids).size === ids.length";
    window.holds("no entry is there twice", unique).await?;
    window.holds("articles are numbered", "return [...document.querySelectorAll('#feed article')].every((article, place) => article.getAttribute('aria-posinset') === String(place + 1))").await?;
    window.holds("an ad says so", "return [...document.querySelectorAll('[data-entry^=promoted]')].every((ad) => ad.querySelector('.ad-label').textContent.length > 0)").await?;
    window.has_no_errors().await
}

async fn timelines_are_switched(window: &Window, service: &str) -> Outcome {
    open(window, service).await?;
    for (timeline, heading) in
        [("following", "Following"), ("lists", "Lists"), ("subscribed", "Subscribed"), ("for_you", "For You")]
    {
        window.click(&format!("[data-timeline={timeline}]")).await?;
        let there = format!(
            "return document.querySelector('#heading').textContent === '{heading}'
                 && document.querySelector('[data-timeline={timeline}]').getAttribute('aria-current') === 'page'
                 && document.querySelector('#feed').getAttribute('aria-busy') === 'false'
                 && ({SHOWN} > 0 || document.querySelector('#end-note').textContent.length > 0)"
        );
        window.until(heading, &there).await?;
        window.picture(timeline).await?;
    }
    window.has_no_errors().await
}

async fn feedback_acts(window: &Window, service: &str) -> Outcome {
    open(window, service).await?;
    let author = "window.author = document.querySelector('#feed article .item[data-author]').dataset.author; return true";
    window.holds("there is a post", author).await?;
    window.click("#feed article .more-menu").await?;
    window
        .until("a menu opens", "return document.querySelectorAll('.menu [role=menuitem]').length > 1")
        .await?;
    window.picture("menu").await?;
    let chosen = "const fewer = document.querySelector('.menu [data-kind=see_fewer]') ?? document.querySelector('.menu [data-kind=mute]');
                  fewer.click(); return true";
    window.holds("fewer of these are offered", chosen).await?;
    window
        .until("it is confirmed", "return document.querySelector('.said p')?.textContent.length > 0")
        .await?;
    window.picture("said").await?;
    window.click(".said button:last-child").await?;
    let there = "const item = document.querySelector('#feed article .item[data-author]');
                 return !document.querySelector('.said') && item.dataset.author === window.author";
    window.until("it is taken back and the post stands there again", there).await?;
    window.click("#feed article .more-menu").await?;
    window
        .until("the menu opens again", "return document.querySelectorAll('.menu [role=menuitem]').length > 1")
        .await?;
    window.holds("fewer of these are still offered", chosen).await?;
    window.until("it is said again", "return Boolean(document.querySelector('.said button'))").await?;
    window.click(".said button").await?;
    window
        .until(
            "the timeline is new",
            &IS_SHOWN.replace("return ", "return !document.querySelector('.said') && "),
        )
        .await?;
    let gone = "return [...document.querySelectorAll('#feed [data-author]')].every((item) => item.dataset.author !== window.author)";
    window.holds("nothing of the author is left", gone).await?;
    window.has_no_errors().await
}

async fn everything_goes_by_keyboard(window: &Window, service: &str) -> Outcome {
    open(window, service).await?;
    window.keys("jj").await?;
    window
        .holds(
            "j moves down",
            "return document.activeElement.closest('article')?.getAttribute('aria-posinset') === '2'",
        )
        .await?;
    window.keys("k").await?;
    window
        .holds(
            "k moves up",
            "return document.activeElement.closest('article')?.getAttribute('aria-posinset') === '1'",
        )
        .await?;
    window.keys("l").await?;
    window
        .until(
            "l likes",
            "return document.activeElement.querySelector('.like')?.getAttribute('aria-pressed') === 'true'",
        )
        .await?;
    window.keys("m").await?;
    window
        .until("m opens the menu", "return document.activeElement.getAttribute('role') === 'menuitem'")
        .await?;
    // Escape.
    window.keys("\u{E00C}").await?;
    window.holds("escape closes it", "return !document.querySelector('.menu') && document.activeElement.classList.contains('more-menu')").await?;
    window.keys("e").await?;
    window.until("e explains", "return !document.querySelector('#explain').hidden").await?;
    window.keys("\u{E00C}").await?;
    window.holds("escape closes that, and the focus is back", "return document.querySelector('#explain').hidden && document.activeElement.classList.contains('explain')").await?;
    window.keys(".").await?;
    window
        .until(
            "a full stop looks for new posts",
            "return document.querySelector('#feed').getAttribute('aria-busy') === 'false'",
        )
        .await?;
    window.holds("the focus is seen", "document.querySelector('#feed article').focus(); return document.querySelector('#feed article').matches(':focus')").await?;
    window.has_no_errors().await
}

async fn a_post_is_written_and_found(window: &Window, service: &str) -> Outcome {
    open(window, service).await?;
    window.click("[data-timeline=following]").await?;
    window.until("Following shows", IS_SHOWN).await?;
    window
        .holds(
            "an empty post is not sent",
            "return document.querySelector('#compose [type=submit]').disabled",
        )
        .await?;
    window.click("#compose-text").await?;
    window.keys("Written by a test").await?;
    window.click("#compose [type=submit]").await?;
    window
        .until("it is posted", "return document.querySelector('.toast')?.textContent.startsWith('Posted')")
        .await?;
    window.click(".toast .link").await?;
    let found = "return [...document.querySelectorAll('#feed article .text')].some((text) => text.textContent === 'Written by a test')";
    window.until("it is found", found).await?;
    window.has_no_errors().await
}

async fn it_fits_a_phone_in_light_and_dark(window: &Window, service: &str) -> Outcome {
    open(window, service).await?;
    let ground = "return getComputedStyle(document.body).backgroundColor";
    let light = window.script(ground).await?;
    for (width, scheme) in [(360, "light"), (390, "dark"), (820, "dark"), (1280, "dark")] {
        window.look(width, 844, scheme).await?;
        window.go(service).await?;
        window.until("the timeline shows", IS_SHOWN).await?;
        window.picture(&format!("{width}-{scheme}")).await?;
        window.holds(&format!("{width} are enough"), "return document.documentElement.scrollWidth <= window.innerWidth || document.documentElement.scrollWidth").await?;
        let is_other = window.script(ground).await? != light;
        if is_other != (scheme == "dark") {
            return Err(format!("{width} {scheme}: the ground is {}", window.script(ground).await?));
        }
        // WCAG's contrast of text against what it stands on: 4.5 for text of this size.
        let contrast = "
            const channel = (value) => (value /= 255, value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
            const luminance = (colour) => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number); return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
            const card = luminance(getComputedStyle(document.querySelector('.column')).backgroundColor);
            return [...document.querySelectorAll('.text, .note, .soft, .context, .actions button, h2, .tag')].map((element) => {
                const own = luminance(getComputedStyle(element).color);
                return (Math.max(own, card) + 0.05) / (Math.min(own, card) + 0.05);
            }).every((ratio) => ratio >= 4.5)";
        window.holds(&format!("{width} {scheme}: text is readable"), contrast).await?;
        window.script("document.querySelector('#feed .explain').click()").await?;
        window.until("the explanation fits as well", "return !document.querySelector('#explain').hidden && document.documentElement.scrollWidth <= window.innerWidth").await?;
    }
    Ok(())
}

async fn everything_has_a_name(window: &Window, service: &str) -> Outcome {
    open(window, service).await?;
    let nameless = "
        const isSeen = (element) => element.getClientRects().length > 0;
        const name = (element) => element.getAttribute('aria-label') || element.textContent.trim() || element.labels?.[0]?.textContent.trim() || '';
        const all = [...document.querySelectorAll('button, a, input, select, textarea, article, [role=feed], [role=group], nav, aside')];
        return all.filter((element) => isSeen(element) && !name(element) && !element.getAttribute('aria-labelledby')).map((element) => element.outerHTML.slice(0, 200))";
    let nameless = window.script(nameless).await?;
    if nameless.as_array().is_none_or(|list| !list.is_empty()) {
        return Err(format!("without a name: {nameless:#}"));
    }
    window.holds("one main part, one first heading, a language", "return document.querySelectorAll('main').length === 1 && document.querySelectorAll('h1').length === 1 && document.documentElement.lang === 'en'").await?;
    window.holds("images are drawings for nobody's ear", "return [...document.querySelectorAll('svg')].every((svg) => svg.getAttribute('aria-hidden') === 'true')").await?;
    let scripted = "const before = document.querySelectorAll('script').length; return [...document.querySelectorAll('#feed .text')].every((text) => text.children.length === text.querySelectorAll('.tag').length) && before === 1";
    window.holds("text is text", scripted).await
}

async fn without_a_token_it_asks_for_one(window: &Window, service: &str) -> Outcome {
    window.look(1280, 900, "light").await?;
    window.go(&format!("{service}/#999999999")).await?;
    window
        .until(
            "an account that does not exist is refused in words",
            "return document.querySelector('.toast')?.textContent.length > 0",
        )
        .await?;
    window.picture("refused").await
}
