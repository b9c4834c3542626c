//! Draws a picture in a view.

use super::picture::Picture;
use super::spark::spark;
use super::tables::{self, Grid};
use super::view::{Tab, View};
use crate::command::status::ago;
use crate::told::{list, text_or_dash};
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Row, Table, Tabs};

/// Lines of a table that are none of its rows: the frame and the titles.
const AROUND: u16 = 3;
/// Rows of a list that is only hinted at.
const FEW: u16 = 10;
/// Columns between two others, or, at the end, those of the frame.
const GAP: usize = 2;
/// How wide a single frame is at least.
const NARROWEST: u16 = 100;
/// Lines above the tables.
const HEAD: u16 = 2;
const KEYS: &str = " q quit   tab \u{2190} \u{2192} view   \u{2191} \u{2193} scroll   s sort   r reverse";

/// How wide and high the overview is of which nothing is cut off.
pub(super) fn whole(picture: &Picture) -> (u16, u16) {
    let (mut width, mut height) = (usize::from(NARROWEST), HEAD);
    for (grid, want) in overview(picture, &View::still()) {
        height = height.saturating_add(want.most);
        width = width.max(grid.widths().iter().map(|width| width + GAP).sum());
    }
    (u16::try_from(width).unwrap_or(u16::MAX), height)
}

/// Draws all of it.
pub(super) fn frame(frame: &mut Frame<'_>, picture: &Picture, view: &mut View) {
    let area = frame.area();
    let line = |number: u16| Rect { y: area.y + number, height: 1, ..area }.intersection(area);
    let [about, pace] = head(picture, usize::from(area.width));
    frame.render_widget(about, line(0));
    frame.render_widget(pace, line(1));
    let (above, below) = if view.is_still { (HEAD, 0) } else { (HEAD + 1, 1) };
    if !view.is_still {
        let selected = Tab::ALL.iter().position(|tab| *tab == view.tab);
        let tabs = Tabs::new(Tab::ALL.map(Tab::title)).select(selected);
        frame.render_widget(tabs.highlight_style(Modifier::REVERSED), line(HEAD));
        let last = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
        frame.render_widget(Line::styled(KEYS, Modifier::DIM), last.intersection(area));
    }
    let rest = area.height.saturating_sub(above + below);
    let rest = Rect { y: area.y + above, height: rest, ..area }.intersection(area);
    match view.tab {
        Tab::Overview => {
            let (grids, wants): (Vec<_>, Vec<_>) = overview(picture, view).into_iter().unzip();
            let mut y = rest.y;
            for (grid, height) in grids.into_iter().zip(heights(rest.height, &wants)) {
                let is_backends = grid.heads.first() == Some(&"backend");
                let from = table(frame, grid, Rect { y, height, ..rest });
                if is_backends {
                    view.backends.from = from;
                }
                y += height;
            }
        }
        Tab::Backends => view.backends.from = table(frame, tables::backends(picture, view), rest),
        Tab::Routes => view.routes.from = table(frame, tables::routes(picture, view), rest),
        Tab::Journal => view.journal.from = table(frame, tables::journal(picture, view), rest),
    }
}

/// Who this is, and what passes.
fn head(picture: &Picture, width: usize) -> [Line<'static>; 2] {
    let status = picture.status();
    let ready = if status["ready"] == true { "ready" } else { "NOT READY" };
    let about = format!(
        "nearside top: PoP {}, generation {}, {}, {ready}, up for {}",
        text_or_dash(&status["pop"], "name"),
        text_or_dash(status, "generation"),
        text_or_dash(status, "phase"),
        ago(status["uptime_s"].as_u64().unwrap_or(0)),
    );
    let mut about = Line::from(Span::styled(about, Modifier::BOLD));
    if status.pointer("/last_reload/outcome").is_some_and(|outcome| outcome == "refused") {
        about.push_span(alarm("  the last reload was REFUSED"));
    }
    let warnings = list(status, "warnings").count();
    if warnings > 0 {
        let s = if warnings == 1 { "" } else { "s" };
        about.push_span(Span::styled(format!("  {warnings} warning{s}"), Color::Yellow));
    }
    if let Some(trouble) = picture.trouble() {
        return [about, alarm(&format!("what follows is OLD: {trouble}")).into()];
    }
    let routes = picture.routes();
    let (requests, failed) = routes
        .iter()
        .fold((0.0, 0.0), |(requests, failed), route| (requests + route.requests, failed + route.failed));
    let in_flight: u64 = list(status, "backends").filter_map(|one| one["in_flight"].as_u64()).sum();
    let part = if requests > 0.0 { failed / requests * 100.0 } else { 0.0 };
    let text = format!("{requests:.1} requests/s, {part:.1} % failed, {in_flight} in flight  ");
    let room = width.saturating_sub(text.chars().count());
    let pace = Line::from(vec![Span::raw(text), Span::raw(spark(picture.history(None), room))]);
    [about, pace]
}

fn alarm(text: &str) -> Span<'static> {
    Span::styled(text.to_owned(), Style::new().fg(Color::Red).add_modifier(Modifier::BOLD))
}

/// The lines that a table wants.
#[derive(Clone, Copy, Debug)]
struct Want {
    least: u16,
    most: u16,
}

impl Want {
    /// Those of `grid`: some of its rows in any case, and no more than `most`.
    fn of(grid: &Grid, least: u16, most: u16) -> Self {
        let rows = u16::try_from(grid.rows.len()).unwrap_or(u16::MAX);
        let lines = |limit: u16| rows.min(limit).max(1).saturating_add(AROUND);
        Self { least: lines(least), most: lines(most) }
    }
}

/// Everything, what matters most first.
fn overview(picture: &Picture, view: &View) -> Vec<(Grid, Want)> {
    let few = |grid: Grid, least, most| {
        let want = Want::of(&grid, least, most);
        (grid, want)
    };
    // What is hinted at is always shown from its beginning.
    let hint = View { backends: view.backends, ..View::default() };
    let all = [
        few(tables::regions(picture), 2, 500),
        few(tables::drains(picture), 1, 50),
        few(tables::backends(picture, &hint), 3, 2000),
        few(tables::routes(picture, &hint), 2, FEW),
        few(tables::journal(picture, &hint), 2, FEW),
    ];
    // Where nothing is marked there is nothing to say of marks.
    all.into_iter().filter(|(grid, _)| grid.title != "drains" || !grid.rows.is_empty()).collect()
}

/// How many lines of `space` each table gets: first what it needs at least, then what it would have, the first ones
/// before the later ones. One that is not even given a row gets nothing.
fn heights(space: u16, wants: &[Want]) -> Vec<u16> {
    let (mut left, mut given) = (space, vec![0_u16; wants.len()]);
    for goal in [|want: &Want| want.least, |want: &Want| want.most] {
        for (have, want) in given.iter_mut().zip(wants) {
            let more = goal(want).saturating_sub(*have).min(left);
            if *have + more > AROUND {
                *have += more;
                left -= more;
            }
        }
    }
    given
}

/// Draws a table, no farther down than to its last row, and says from which row on.
fn table(frame: &mut Frame<'_>, grid: Grid, area: Rect) -> usize {
    let room = usize::from(area.height.saturating_sub(AROUND));
    let from = grid.from.min(grid.rows.len().saturating_sub(room));
    let widths = grid.widths();
    // The last column has what is left.
    let last = widths.len().saturating_sub(1);
    let columns = widths.iter().enumerate().map(|(column, width)| {
        let width = u16::try_from(*width).unwrap_or(u16::MAX);
        if column == last { Constraint::Fill(1) } else { Constraint::Length(width) }
    });
    let hidden = grid.rows.len().saturating_sub(from + room);
    let more = if hidden > 0 || from > 0 {
        format!(" {}-{} of {} ", from + 1, from + room.min(grid.rows.len()), grid.rows.len())
    } else {
        String::new()
    };
    let rows = grid.rows.into_iter().skip(from).take(room).map(|row| {
        Row::new(row.into_iter().map(|spot| {
            let style = spot.color.map_or_else(Style::new, |color| Style::new().fg(color));
            Cell::new(spot.text).style(style)
        }))
    });
    let heads = grid.heads.iter().map(|head| Cell::new(head.to_uppercase()));
    let block =
        Block::bordered().title(format!(" {} ", grid.title)).title_bottom(Line::from(more).right_aligned());
    let table = Table::new(rows, columns)
        .header(Row::new(heads).style(Modifier::DIM))
        .column_spacing(u16::try_from(GAP).unwrap_or(1))
        .block(block);
    frame.render_widget(table, area);
    from
}

#[cfg(test)]
mod tests;
