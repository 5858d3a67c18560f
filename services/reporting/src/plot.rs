//! Plots as SVG, made here and coloured by the style sheet: each has a table beside it that says the same. It must never
//! know what is counted.

use plotters::{
    coord::ranged1d::SegmentValue,
    prelude::{
        BLACK, ChartBuilder, Color as _, IntoDrawingArea as _, IntoFont as _,
        IntoSegmentedCoord as _, PathElement, RGBColor, Rectangle, SVGBackend,
    },
    style::ShapeStyle,
};

/// What the style sheet knows as `--series-1` and so on, by these very values.
const SERIES: [RGBColor; 6] = [
    RGBColor(1, 1, 1),
    RGBColor(2, 2, 2),
    RGBColor(3, 3, 3),
    RGBColor(4, 4, 4),
    RGBColor(5, 5, 5),
    RGBColor(6, 6, 6),
];
/// Lines that are drawn; those that are left out stand in the table.
pub const SERIES_MAX: usize = SERIES.len();
/// The style sheet's `--line`.
const GRID: RGBColor = RGBColor(9, 9, 9);
const WIDTH: u32 = 640;
const HEIGHT: u32 = 220;
const LABELS: u32 = 64;
const FONT: i32 = 12;

/// One row of values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    pub name: String,
    pub values: Vec<i64>,
}

fn greatest(series: &[Series]) -> i64 {
    let values = series.iter().flat_map(|one| one.values.iter().copied());
    let max = values.max().unwrap_or(0).max(4);
    // Room above the highest value.
    max.saturating_add(max / 8 + 1)
}

/// As a document of its own it has a size; within a page it takes the page's.
fn framed(svg: &str, label: &str) -> String {
    let escaped = label.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let open = format!(
        "<svg class=\"plot\" role=\"img\" aria-label=\"{escaped}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         xmlns=\"http://www.w3.org/2000/svg\">"
    );
    svg.split_once('>').map_or_else(String::new, |(_, rest)| format!("{open}{}", rest.trim_start()))
}

/// Values over steps of time, a line each; none if it cannot be drawn.
#[must_use]
pub fn lines(label: &str, steps: &[String], series: &[Series]) -> Option<String> {
    let last = i64::try_from(steps.len()).ok()? - 1;
    if last < 1 {
        return None;
    }
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(LABELS)
            .build_cartesian_2d(0_i64..last, 0_i64..greatest(series))
            .ok()?;
        let named = |at: &i64| {
            usize::try_from(*at).ok().and_then(|at| steps.get(at).cloned()).unwrap_or_default()
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(ShapeStyle::from(&GRID.mix(0.0)))
            .bold_line_style(ShapeStyle::from(&GRID))
            .axis_style(ShapeStyle::from(&GRID))
            .label_style(("sans-serif", FONT).into_font().color(&BLACK))
            .x_labels(7)
            .y_labels(4)
            .x_label_formatter(&named)
            .draw()
            .ok()?;
        for (one, colour) in series.iter().zip(SERIES) {
            let points: Vec<(i64, i64)> = (0..).zip(one.values.iter().copied()).collect();
            let line = PathElement::new(points, ShapeStyle::from(&colour).stroke_width(2));
            chart.draw_series(std::iter::once(line)).ok()?;
        }
        area.present().ok()?;
    }
    Some(framed(&svg, label))
}

/// Values of a few kinds, columns beside each other; none if it cannot be drawn.
#[must_use]
pub fn columns(label: &str, kinds: &[String], series: &[Series]) -> Option<String> {
    let count = i32::try_from(kinds.len()).ok().filter(|count| *count > 0)?;
    let rows = u32::try_from(series.len()).ok().filter(|rows| *rows > 0)?;
    let room = (WIDTH - LABELS) / u32::try_from(count).ok()?;
    let (each, edge) = (room * 7 / 10 / rows, room * 3 / 20);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(LABELS)
            .build_cartesian_2d((0..count - 1).into_segmented(), 0_i64..greatest(series))
            .ok()?;
        let named = |at: &SegmentValue<i32>| match at {
            SegmentValue::CenterOf(at) | SegmentValue::Exact(at) => {
                usize::try_from(*at).ok().and_then(|at| kinds.get(at).cloned()).unwrap_or_default()
            }
            SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(ShapeStyle::from(&GRID.mix(0.0)))
            .bold_line_style(ShapeStyle::from(&GRID))
            .axis_style(ShapeStyle::from(&GRID))
            .label_style(("sans-serif", FONT).into_font().color(&BLACK))
            .x_labels(kinds.len())
            .y_labels(4)
            .x_label_formatter(&named)
            .draw()
            .ok()?;
        for (at, (one, colour)) in (0_u32..).zip(series.iter().zip(SERIES)) {
            let (left, right) = (edge + at * each, edge + (rows - at - 1) * each);
            let bars = (0_i32..).zip(&one.values).map(|(kind, value)| {
                let from = (SegmentValue::Exact(kind), 0);
                let next = if kind + 1 == count {
                    SegmentValue::Last
                } else {
                    SegmentValue::Exact(kind + 1)
                };
                let mut bar = Rectangle::new([from, (next, *value)], colour.filled());
                bar.set_margin(0, 0, left, right);
                bar
            });
            chart.draw_series(bars).ok()?;
        }
        area.present().ok()?;
    }
    Some(framed(&svg, label))
}
