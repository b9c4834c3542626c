//! Which view is shown, in which order, and from where on: what keys change.

use super::picture::Rates;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::Value;
use std::cmp::Ordering;

/// Rows that a page of a list moves by.
const PAGE: usize = 10;

/// A view.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Tab {
    /// Everything, as far as there is room.
    #[default]
    Overview,
    /// The backends.
    Backends,
    /// The routes.
    Routes,
    /// The journal.
    Journal,
}

impl Tab {
    /// All of them, in the order of their keys.
    pub(super) const ALL: [Self; 4] = [Self::Overview, Self::Backends, Self::Routes, Self::Journal];

    /// Its title.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Overview => "1 Overview",
            Self::Backends => "2 Backends",
            Self::Routes => "3 Routes",
            Self::Journal => "4 Journal",
        }
    }
}

/// What a key means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Key {
    /// Leave.
    Quit,
    /// Another view: so many to the right.
    Turn(isize),
    /// This view.
    Show(Tab),
    /// So many rows down.
    Scroll(isize),
    /// To the first row.
    Home,
    /// To the last one.
    End,
    /// Sorted by the next column.
    Sort,
    /// The other way round.
    Reverse,
}

impl Key {
    /// What this key means; `None` for nothing.
    pub(super) fn of(key: KeyEvent) -> Option<Self> {
        const A_PAGE: isize = PAGE.cast_signed();
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Self::Quit);
        }
        Some(match key.code {
            KeyCode::Char('q') | KeyCode::Esc => Self::Quit,
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => Self::Turn(1),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => Self::Turn(-1),
            KeyCode::Down | KeyCode::Char('j') => Self::Scroll(1),
            KeyCode::Up | KeyCode::Char('k') => Self::Scroll(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => Self::Scroll(A_PAGE),
            KeyCode::PageUp => Self::Scroll(-A_PAGE),
            KeyCode::Home | KeyCode::Char('g') => Self::Home,
            KeyCode::End | KeyCode::Char('G') => Self::End,
            KeyCode::Char('s') => Self::Sort,
            KeyCode::Char('r') => Self::Reverse,
            KeyCode::Char(digit) => {
                let index = usize::try_from(digit.to_digit(10)?).ok()?.checked_sub(1)?;
                Self::Show(*Tab::ALL.get(index)?)
            }
            _ => return None,
        })
    }
}

/// How a list is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    sort: usize,
    is_reversed: bool,
    /// The first row that is shown.
    pub(super) from: usize,
}

/// What is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Which view.
    pub(super) tab: Tab,
    /// How the backends are shown.
    pub(super) backends: Order,
    /// How the routes are.
    pub(super) routes: Order,
    /// How the journal is, the latest first.
    pub(super) journal: Order,
    /// Whether no key is ever pressed.
    pub(super) is_still: bool,
}

/// What a list is sorted by: a name, and a number of each row; the lowest comes first.
type By<T> = (&'static str, fn(&T) -> f64);

const BACKENDS_BY: [By<Value>; 5] = [
    ("as declared", |_| 0.0),
    ("verdict", by_verdict),
    ("rtt", |backend| -backend["rtt_ms"].as_f64().unwrap_or(-1.0)),
    ("in flight", |backend| -backend["in_flight"].as_f64().unwrap_or(0.0)),
    ("share", |backend| -backend["share"].as_f64().unwrap_or(-1.0)),
];

const ROUTES_BY: [By<Rates>; 4] = [
    ("rate", |route| -route.requests),
    ("failed", |route| -route.failed),
    ("time", |route| -route.took_ms.unwrap_or(-1.0)),
    ("name", |_| 0.0),
];

/// The worst first.
fn by_verdict(backend: &Value) -> f64 {
    match backend["standing"].as_str() {
        Some("unhealthy") => 0.0,
        Some("ejected") => 1.0,
        Some("suspected") => 2.0,
        Some("healthy") => 4.0,
        _ => 3.0,
    }
}

impl View {
    /// A view that is looked at once.
    pub(super) fn still() -> Self {
        Self { is_still: true, ..Self::default() }
    }

    /// Does what a key means.
    pub(super) fn press(&mut self, key: Key) {
        let tabs = Tab::ALL.len().cast_signed();
        match key {
            Key::Quit => {}
            Key::Show(tab) => self.tab = tab,
            Key::Turn(by) => {
                let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or(0).cast_signed();
                let to = (at + by).rem_euclid(tabs).cast_unsigned();
                self.tab = Tab::ALL.get(to).copied().unwrap_or_default();
            }
            Key::Scroll(by) => {
                let order = self.order();
                order.from = order.from.saturating_add_signed(by);
            }
            Key::Home => self.order().from = 0,
            // How many rows there are is known when they are drawn.
            Key::End => self.order().from = usize::MAX,
            Key::Sort => {
                let order = self.order();
                *order = Order { sort: order.sort + 1, ..Order::default() };
            }
            Key::Reverse => {
                let order = self.order();
                order.is_reversed = !order.is_reversed;
            }
        }
    }

    fn order(&mut self) -> &mut Order {
        match self.tab {
            Tab::Overview | Tab::Backends => &mut self.backends,
            Tab::Routes => &mut self.routes,
            Tab::Journal => &mut self.journal,
        }
    }
}

impl Order {
    /// Sorts backends, and says by what.
    pub(super) fn backends(self, rows: &mut [&Value]) -> String {
        self.sort(&BACKENDS_BY, rows, |row| row)
    }

    /// Sorts routes, and says by what.
    pub(super) fn routes(self, rows: &mut [Rates]) -> String {
        self.sort(&ROUTES_BY, rows, |row| row)
    }

    /// Turns what is the latest first the other way round, and says so.
    pub(super) fn entries(self, rows: &mut [&Value]) -> &'static str {
        if self.is_reversed {
            rows.reverse();
            return "the oldest first";
        }
        "the latest first"
    }

    fn sort<R, T>(self, by: &[By<T>], rows: &mut [R], of: fn(&R) -> &T) -> String {
        let Some((name, number)) = by.get(self.sort % by.len().max(1)) else { return String::new() };
        let compare = |one: &R, other: &R| -> Ordering { number(of(one)).total_cmp(&number(of(other))) };
        rows.sort_by(compare);
        if self.is_reversed {
            rows.reverse();
            return format!("by {name}, reversed");
        }
        if *name == "as declared" { (*name).to_owned() } else { format!("by {name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(code: KeyCode) -> Option<Key> {
        Key::of(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_move_between_views_and_leave() {
        let mut view = View::default();
        for (code, tab) in [
            (KeyCode::Tab, Tab::Backends),
            (KeyCode::Right, Tab::Routes),
            (KeyCode::Left, Tab::Backends),
            (KeyCode::BackTab, Tab::Overview),
            (KeyCode::BackTab, Tab::Journal),
            (KeyCode::Tab, Tab::Overview),
            (KeyCode::Char('3'), Tab::Routes),
        ] {
            view.press(key(code).unwrap());
            assert_eq!(view.tab, tab, "{code:?}");
        }
        for code in [KeyCode::Char('9'), KeyCode::Char('0'), KeyCode::Char('x'), KeyCode::F(1)] {
            assert_eq!(key(code), None, "{code:?}");
        }
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!((key(KeyCode::Char('q')), Key::of(control)), (Some(Key::Quit), Some(Key::Quit)));
    }

    #[test]
    fn each_list_is_sorted_and_scrolled_by_itself() {
        let told = [
            json!({ "key": "a", "standing": "healthy", "rtt_ms": 30.0, "share": 0.1 }),
            json!({ "key": "b", "standing": "unhealthy", "rtt_ms": 10.0, "share": 0.9 }),
            json!({ "key": "c", "standing": "healthy", "rtt_ms": null, "share": null }),
        ];
        let mut view = View::default();
        let mut check = |key: Option<Key>, said: &str, expected: &str| {
            key.into_iter().for_each(|key| view.press(key));
            let mut rows: Vec<&Value> = told.iter().collect();
            assert_eq!(view.backends.backends(&mut rows), said);
            let keys: String = rows.iter().filter_map(|row| row["key"].as_str()).collect();
            assert_eq!(keys, expected, "{said}");
        };
        check(None, "as declared", "abc");
        check(Some(Key::Sort), "by verdict", "bac");
        check(Some(Key::Sort), "by rtt", "abc");
        check(Some(Key::Reverse), "by rtt, reversed", "cba");
        check(Some(Key::Sort), "by in flight", "abc");
        check(Some(Key::Sort), "by share", "bac");
        check(Some(Key::Sort), "as declared", "abc");
        view.press(Key::Scroll(3));
        view.press(Key::Show(Tab::Routes));
        view.press(Key::Scroll(-1));
        assert_eq!((view.backends.from, view.routes.from), (3, 0));
    }
}
