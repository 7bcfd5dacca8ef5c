//! The charts of decisions and of opt-in rates per day, as SVG.
//!
//! Horizontal places are per cent of the plot and vertical ones pixels, so that one drawing fits every width
//! without its letters growing or shrinking. What accepted, mixed and rejected look like differs in colour,
//! lightness and hatching; every number stands in the table below the chart as well.

use assent_consent::Category;
use leptos::prelude::*;

use crate::{
    counts::{Counts, DayCounts, total},
    days,
    figures::{number, percent, share},
};

const PLOT_TOP_PX: f64 = 12.0;
const PLOT_HEIGHT_PX: f64 = 240.0;
const RATE_HEIGHT_PX: f64 = 64.0;
/// From a plot's lower edge to the foot of its dates, and to the end of the drawing.
const LABEL_PX: f64 = 22.0;
const BELOW_PX: f64 = 32.0;
/// How much of a bar's place is the bar.
const BAR_SHARE: f64 = 0.7;
/// Few days must not make a wall of colour, per cent of the plot.
const BAR_WIDTH_MAX: f64 = 8.0;
const BARS_MAX: usize = 92;
const LABELS_MAX: usize = 8;

/// The vertical axis: from 0 to `top` in steps that people count in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) top: u64,
    pub(crate) step: u64,
}

/// The axis for values up to `max`: steps of 1, 2 or 5 times a power of ten, five at most.
pub(crate) fn axis(max: u64) -> Axis {
    let max = max.max(1);
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if step.saturating_mul(5) >= max {
                return Axis {
                    top: max.div_ceil(step).saturating_mul(step),
                    step,
                };
            }
        }
        power = power.saturating_mul(10);
    }
}

fn counted(bars: usize) -> String {
    format!("{bars} {}", if bars == 1 { "bar" } else { "bars" })
}

/// One bar: a day, or several where the days are too many for the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) from_day: i32,
    pub(crate) to_day: i32,
    pub(crate) counts: Counts,
}

/// Days per bar: one, a week or four weeks.
pub(crate) fn days_per_bar(days: usize) -> usize {
    [1, 7, 28]
        .into_iter()
        .find(|per_bar| days <= per_bar * BARS_MAX)
        .unwrap_or_else(|| days.div_ceil(BARS_MAX))
}

/// The bars for consecutive days. Weeks are counted back from the last day, so that the newest is whole.
pub(crate) fn bars(days: &[DayCounts]) -> Vec<Bar> {
    let per_bar = days_per_bar(days.len());
    let mut bars: Vec<Bar> = days
        .rchunks(per_bar)
        .filter_map(|chunk| {
            Some(Bar {
                from_day: chunk.first()?.day,
                to_day: chunk.last()?.day,
                counts: total(chunk),
            })
        })
        .collect();
    bars.reverse();
    bars
}

/// Where the parts of a bar begin and end, in pixels from the plot's top edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) y: f64,
    pub(crate) height: f64,
}

/// Stacks values upwards from the plot's bottom edge; a part that is not empty is never invisible.
pub(crate) fn stack<const N: usize>(values: [u64; N], axis: Axis, height: f64) -> [Part; N] {
    let mut bottom = 0_u64;
    values.map(|value| {
        let from = height * ratio(bottom, axis.top);
        bottom = bottom.saturating_add(value);
        let to = height * ratio(bottom, axis.top);
        let tall = if value == 0 { 0.0 } else { (to - from).max(0.5) };
        Part {
            y: height - from - tall,
            height: tall,
        }
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a place on a screen needs no more than a float's precision"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "there are at most a few hundred bars")]
fn place(index: usize, count: usize) -> f64 {
    100.0 * index as f64 / count.max(1) as f64
}

fn px(value: f64) -> String {
    format!("{value:.2}")
}

fn at(percent: f64) -> String {
    format!("{percent:.3}%")
}

/// The chart of consecutive days.
pub(crate) fn chart(days: &[DayCounts]) -> AnyView {
    let bars = bars(days);
    let highest = bars
        .iter()
        .map(|bar| bar.counts.shown.max(bar.counts.decided()))
        .max()
        .unwrap_or(0);
    let axis = axis(highest);
    let unit = unit(days.len());
    let sum = total(days);
    let description = format!(
        "{}, one per {unit}. In sum {} accepted all, {} mixed, {} rejected all, on {} page views with \
         the banner. The highest bar shows {}. Every number is in the table by day.",
        counted(bars.len()),
        number(sum.accepted_all),
        number(sum.mixed),
        number(sum.rejected_all),
        number(sum.shown),
        number(highest),
    );
    let drawn = bars
        .iter()
        .enumerate()
        .map(|(index, entry)| bar(entry, index, bars.len(), axis))
        .collect_view();
    view! {
        <figure class="chart">
            {legend()}
            <svg role="img" aria-labelledby="chart-title" aria-describedby="chart-text" width="100%" height=px(PLOT_TOP_PX + PLOT_HEIGHT_PX + BELOW_PX)>
                <title id="chart-title">{format!("Decisions per {unit}")}</title>
                <desc id="chart-text">{description}</desc>
                <defs>{hatching("chart-hatch")}</defs>
                {grid(PLOT_HEIGHT_PX, axis, |value| tick(value, axis))}
                {drawn}
                {labels(&bars, PLOT_HEIGHT_PX)}
            </svg>
        </figure>
    }
    .into_any()
}

/// What a bar stands for.
fn unit(days: usize) -> String {
    match days_per_bar(days) {
        1 => "day".to_owned(),
        7 => "week".to_owned(),
        per_bar => format!("{per_bar} days"),
    }
}

/// The opt-in rate of a category over consecutive days: of each bar's decisions, how many granted it. Where nobody
/// decided there is no bar. `name` is the category's, for people.
pub(crate) fn opt_in(days: &[DayCounts], category: Category, name: &str) -> AnyView {
    let bars = bars(days);
    let unit = unit(days.len());
    let rates = bars.iter().filter_map(|bar| rate(bar, category));
    let span = match (rates.clone().min(), rates.clone().max()) {
        (Some(lowest), Some(highest)) => format!(
            "The lowest bar shows {}, the highest {}.",
            percent(Some(lowest)),
            percent(Some(highest))
        ),
        _ => "Nobody decided.".to_owned(),
    };
    let description = format!(
        "{}, one per {unit} with decisions. {span} Every number is in the table by day.",
        counted(rates.count()),
    );
    let [title_id, text_id] = ["title", "text"].map(|part| format!("opt-in-{}-{part}", category.id()));
    let drawn = bars
        .iter()
        .enumerate()
        .map(|(index, entry)| rate_bar(entry, index, bars.len(), category))
        .collect_view();
    let axis = Axis { top: 100, step: 50 };
    view! {
        <figure class="chart">
            <svg
                role="img" aria-labelledby=title_id aria-describedby=text_id
                width="100%" height=px(PLOT_TOP_PX + RATE_HEIGHT_PX + BELOW_PX)
            >
                <title id=title_id.clone()>{format!("{name}: opt-in rate per {unit}")}</title>
                <desc id=text_id.clone()>{description}</desc>
                {grid(RATE_HEIGHT_PX, axis, |value| format!("{value}\u{a0}%"))}
                {drawn}
                {labels(&bars, RATE_HEIGHT_PX)}
            </svg>
        </figure>
    }
    .into_any()
}

/// How many of a bar's decisions granted the category, in per mille.
fn rate(bar: &Bar, category: Category) -> Option<i64> {
    share(bar.counts.granted(category), bar.counts.decided())
}

fn rate_bar(bar: &Bar, index: usize, count: usize, category: Category) -> AnyView {
    let (granted, decided) = (bar.counts.granted(category), bar.counts.decided());
    let days = days::range(bar.from_day, bar.to_day);
    let title = if decided == 0 {
        format!("{days}: nobody decided")
    } else {
        let rate = percent(share(granted, decided));
        format!(
            "{days}: {rate}, {} of {} decided",
            number(granted),
            number(decided)
        )
    };
    let axis = Axis {
        top: decided,
        step: decided,
    };
    let [all, part] = [decided, granted].map(|value| stack([value], axis, RATE_HEIGHT_PX)[0]);
    view! {
        <g class="bar">
            <title>{title}</title>
            {slot(index, count, RATE_HEIGHT_PX)}
            {column(index, count, all, "shown", None)}
            {column(index, count, part, "accepted", None)}
        </g>
    }
    .into_any()
}

fn hatching(id: &'static str) -> AnyView {
    view! {
        <pattern
            id=id width="5" height="5"
            patternUnits="userSpaceOnUse" patternTransform="rotate(45)"
        >
            <rect class="hatch-ground" width="5" height="5" />
            <rect class="hatch-line" width="2.5" height="5" />
        </pattern>
    }
    .into_any()
}

fn legend() -> AnyView {
    let entries = [
        ("accepted", None, "Accepted all"),
        ("mixed", Some("url(#legend-hatch)"), "Mixed"),
        ("rejected", None, "Rejected all"),
        ("shown", None, "Banner shown, not decided"),
    ]
    .map(|(class, fill, label)| {
        let pattern = fill.map(|_| view! { <defs>{hatching("legend-hatch")}</defs> });
        view! {
            <li>
                <svg width="14" height="14" aria-hidden="true" focusable="false">
                    {pattern}
                    <rect class=class fill=fill x="0.5" y="0.5" width="13" height="13" rx="3" />
                </svg>
                <span>{label}</span>
            </li>
        }
    })
    .into_iter()
    .collect_view();
    view! { <ul class="legend">{entries}</ul> }.into_any()
}

fn grid(height: f64, axis: Axis, tick: impl Fn(u64) -> String) -> AnyView {
    let steps = axis.top / axis.step.max(1);
    (0..=steps)
        .map(|count| {
            let value = count * axis.step;
            let y = PLOT_TOP_PX + height * (1.0 - ratio(value, axis.top));
            view! {
                <line
                    class=if value == 0 { "base" } else { "grid" }
                    x1="0" x2="100%" y1=px(y) y2=px(y)
                />
                <text class="tick" x="-8" y=px(y + 4.0) text-anchor="end">{tick(value)}</text>
            }
        })
        .collect_view()
        .into_any()
}

/// A value of the axis in few characters, so that every axis fits beside the plot.
fn tick(value: u64, axis: Axis) -> String {
    let (unit, letter) = match axis.step {
        0..1_000 => (1, ""),
        1_000..1_000_000 => (1_000, "k"),
        _ => (1_000_000, "M"),
    };
    if value == 0 {
        return number(value);
    }
    format!("{}{letter}", number(value / unit))
}

fn bar(bar: &Bar, index: usize, count: usize, axis: Axis) -> AnyView {
    let counts = bar.counts;
    let [shown] = stack([counts.shown], axis, PLOT_HEIGHT_PX);
    let [accepted, mixed, rejected] = stack(
        [counts.accepted_all, counts.mixed, counts.rejected_all],
        axis,
        PLOT_HEIGHT_PX,
    );
    let title = format!(
        "{}: shown {}, accepted all {}, mixed {}, rejected all {}",
        days::range(bar.from_day, bar.to_day),
        number(counts.shown),
        number(counts.accepted_all),
        number(counts.mixed),
        number(counts.rejected_all),
    );
    view! {
        <g class="bar">
            <title>{title}</title>
            {slot(index, count, PLOT_HEIGHT_PX)}
            {column(index, count, shown, "shown", None)}
            {column(index, count, accepted, "accepted", None)}
            {column(index, count, mixed, "mixed", Some("url(#chart-hatch)"))}
            {column(index, count, rejected, "rejected", None)}
        </g>
    }
    .into_any()
}

/// The whole place of a bar, for the pointer.
fn slot(index: usize, count: usize, height: f64) -> AnyView {
    view! {
        <rect
            class="place" x=at(place(index, count)) width=at(place(1, count))
            y=px(PLOT_TOP_PX) height=px(height)
        />
    }
    .into_any()
}

/// A part of a bar; nothing where the part is empty.
fn column(
    index: usize,
    count: usize,
    part: Part,
    class: &'static str,
    fill: Option<&'static str>,
) -> AnyView {
    let slot = place(1, count);
    let width = (slot * BAR_SHARE).min(BAR_WIDTH_MAX);
    let x = place(index, count) + (slot - width) / 2.0;
    // A hairline between the parts, where there is room for one.
    let height = if part.height > 3.0 {
        part.height - 1.0
    } else {
        part.height
    };
    (part.height > 0.0)
        .then(|| {
            view! {
                <rect
                    class=class fill=fill x=at(x) width=at(width)
                    y=px(PLOT_TOP_PX + part.y) height=px(height)
                />
            }
        })
        .into_any()
}

/// Which bars carry a label, counted back from the newest, and whether a phone shows it too.
pub(crate) fn labelled(count: usize) -> Vec<(usize, bool)> {
    let step = count.div_ceil(LABELS_MAX).max(1);
    (0..count)
        .rev()
        .step_by(step)
        .enumerate()
        .map(|(order, index)| (index, order % 2 == 0))
        .collect()
}

/// The dates below a plot of this height.
fn labels(bars: &[Bar], height: f64) -> AnyView {
    let count = bars.len();
    labelled(count)
        .into_iter()
        .filter_map(|(index, everywhere)| {
            let bar = bars.get(index)?;
            Some(view! {
                <text
                    class=if everywhere { "tick" } else { "tick wide" }
                    x=at(place(index, count) + place(1, count) / 2.0)
                    y=px(PLOT_TOP_PX + height + LABEL_PX) text-anchor="middle"
                >
                    {days::short(bar.from_day)}
                </text>
            })
        })
        .collect_view()
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(count: i32) -> Vec<DayCounts> {
        (0..count)
            .map(|day| DayCounts {
                day,
                counts: Counts {
                    shown: 1,
                    ..Counts::default()
                },
            })
            .collect()
    }

    #[test]
    fn axes_end_on_round_numbers_at_or_above_the_highest_value() {
        for (max, top, step) in [
            (0, 1, 1),
            (1, 1, 1),
            (5, 5, 1),
            (6, 6, 2),
            (23, 25, 5),
            (51, 60, 20),
            (100, 100, 20),
            (1_938, 2_000, 500),
            (2_501, 3_000, 1_000),
        ] {
            assert_eq!(axis(max), Axis { top, step }, "{max}");
        }
    }

    #[test]
    fn every_axis_fits_beside_the_plot() {
        for (max, value, text) in [
            (2_500, 2_500, "2,500"),
            (5_000, 0, "0"),
            (5_000, 5_000, "5k"),
            (1_000_000, 200_000, "200k"),
            (5_000_000, 1_000_000, "1M"),
        ] {
            assert_eq!(tick(value, axis(max)), text);
        }
    }

    #[test]
    fn axes_hold_any_value_in_five_steps_at_most() {
        for max in (0..5_000).chain([u64::MAX / 2, u64::MAX]) {
            let axis = axis(max);
            assert!(axis.top >= max && axis.top / axis.step <= 5, "{max}");
        }
    }

    #[test]
    fn parts_stand_on_each_other_and_end_at_the_axis() {
        let axis = Axis { top: 100, step: 20 };
        let parts = stack([50, 0, 50], axis, 240.0);
        assert_eq!(
            parts[0],
            Part {
                y: 120.0,
                height: 120.0
            }
        );
        assert_eq!(
            parts[1],
            Part {
                y: 120.0,
                height: 0.0
            }
        );
        assert_eq!(
            parts[2],
            Part {
                y: 0.0,
                height: 120.0
            }
        );
    }

    #[test]
    fn one_of_many_is_still_visible() {
        let [part] = stack([1], axis(1_000_000), 240.0);
        assert!(part.height >= 0.5);
    }

    #[test]
    fn long_periods_are_drawn_by_week() {
        assert_eq!(bars(&days(30)).len(), 30);
        assert_eq!(bars(&days(92)).len(), 92);
        let weeks = bars(&days(366));
        assert_eq!(weeks.len(), 53);
        assert_eq!((weeks[0].from_day, weeks[0].to_day), (0, 1));
        assert_eq!((weeks[52].from_day, weeks[52].to_day), (359, 365));
        assert_eq!(weeks[52].counts.shown, 7);
        assert!(bars(&days(20_000)).len() <= BARS_MAX);
    }

    #[test]
    fn the_newest_bar_is_always_labelled() {
        for count in 1..=BARS_MAX {
            let labels = labelled(count);
            assert!(labels.len() <= LABELS_MAX);
            assert_eq!(labels[0], (count - 1, true));
        }
    }
}
