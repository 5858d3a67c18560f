# The tracking page in Urdu, right to left.

language = اردو
languages = زبان
title = آپ کی ترسیلِ زر
heading = { $amount } بنام { $name }
heading-nameless = { $amount } وصول کنندہ کے لیے
# Amounts and rates read from left to right within a sentence.
amount = { "\u2066" }{ $amount } { $currency }{ "\u2069" }

# Between two sentences.
between = { " " }
place-HK = ہانگ کانگ کا وقت
place-MY = کوالالمپور کا وقت
place-PH = منیلا کا وقت
place-PK = کراچی کا وقت
place-UTC = عالمی وقت (UTC)

month = { $month ->
        [1] جنوری
        [2] فروری
        [3] مارچ
        [4] اپریل
        [5] مئی
        [6] جون
        [7] جولائی
        [8] اگست
        [9] ستمبر
        [10] اکتوبر
        [11] نومبر
       *[12] دسمبر
    }
moment-today = { $time } بجے ({ $place })
moment-date = { $day } { $month-name } { $year }، { $time } بجے ({ $place })
when-today = { $time } ({ $place })
when-date = { $day } { $month-name } { $year }، { $time } ({ $place })
seconds = { $count } سیکنڈ
minutes = { $count } منٹ
hours = { $count } گھنٹے
days = { $count } دن

# Institutions without a name in the network.
debtor-agent = آپ کا ادارہ
creditor-agent = وصول کرنے والا ادارہ
creditor = وصول کنندہ
debtor = آپ

# The one answer at the top.
answer-awaiting_approval = { $debtor_agent } کی منظوری کا انتظار ہے
answer-queued = بھیجی جا رہی ہے
answer-pending = { $creditor_agent } کے جواب کا انتظار ہے
answer-held = { $creditor_agent } جانچ کر رہا ہے
answer-settled = رقم { $creditor_agent } کے پاس ہے، ابھی جمع نہیں ہوئی
answer-ready_to_collect = نقد رقم لی جا سکتی ہے
answer-accepted = رقم { $creditor_agent } کے پاس ہے، جمع ہونی باقی ہے
answer-blocked = رقم { $creditor_agent } میں روک دی گئی ہے
answer-credited = جمع ہو گئی: { $moment }
answer-collected = نقد رقم لے لی گئی: { $moment }
answer-recalled = واپسی کی درخواست: { $moment }
answer-returning = رقم آپ کو واپس آ رہی ہے
answer-returned = آپ کو واپس مل گئی: { $moment }
answer-rejected = نہیں بھیجی گئی: انکار کر دیا گیا
answer-expired = نہیں بھیجی گئی: وقت پر قبول نہیں ہوئی
answer-cancelled = منسوخ کر دی گئی
answer-burned = نہیں بھیجی گئی

# What happens next.
next-awaiting_approval = { $debtor_agent } اسے منظور یا رد کرے گا۔ اس سے پہلے آپ سے کوئی رقم نہیں لی جائے گی۔
next-queued = { $debtor_agent } اسے نیٹ ورک کے حوالے کر رہا ہے؛ اس میں چند سیکنڈ لگتے ہیں۔
next-pending = { $creditor_agent } جانچ کر اسے قبول یا رد کرے گا۔ اگر { $deadline } تک جواب نہ آیا تو آپ کی رقم آزاد کر دی جائے گی۔
next-pending-open = { $creditor_agent } جانچ کر اسے قبول یا رد کرے گا۔
next-held = { $creditor_agent } زیادہ سے زیادہ { $deadline } تک فیصلہ کرے گا، ورنہ آپ کی رقم آزاد کر دی جائے گی۔ آپ کو کچھ کرنے کی ضرورت نہیں۔
next-settled = رقم حتمی طور پر { $creditor_agent } کے پاس ہے، جو اسے وصول کنندہ کو جمع کرے گا۔
next-ready_to_collect = وصول کنندہ نقد رقم لے سکتا ہے۔ رقم { $creditor_agent } کے پاس ہے۔
next-accepted = { $creditor_agent } نے رقم قبول کر لی ہے اور جانچ مکمل ہونے پر وصول کنندہ کو جمع کرے گا۔
next-blocked = { $creditor_agent } ابھی یہ رقم ادا نہیں کر سکتا۔ { $debtor_agent } سے مدد لیں۔
next-credited = کچھ نہیں۔ رقم پہنچ چکی ہے۔
next-collected = کچھ نہیں۔ نقد رقم لی جا چکی ہے۔
next-recalled = { $debtor_agent } نے رقم واپس مانگی ہے۔ فیصلہ { $creditor_agent } کرے گا؛ اسے وصول کنندہ سے پوچھنا پڑ سکتا ہے۔
next-returning = { $returned } کی رقم { $debtor_agent } کے پاس آ چکی ہے اور آپ کو جمع کی جائے گی۔
next-returned = کچھ نہیں۔ { $returned } کی رقم آپ کو واپس مل چکی ہے۔
next-rejected = کچھ نہیں۔ { $debtor_agent } سے کوئی رقم نہیں گئی؛ روکی ہوئی رقم پھر آپ کی ہے۔
next-expired = کچھ نہیں۔ { $debtor_agent } سے کوئی رقم نہیں گئی؛ روکی ہوئی رقم پھر آپ کی ہے۔ آپ دوبارہ بھیج سکتے ہیں۔
next-cancelled = کچھ نہیں۔ { $debtor_agent } سے کوئی رقم نہیں گئی؛ روکی ہوئی رقم پھر آپ کی ہے۔
next-burned = کچھ نہیں۔ یہ نیٹ ورک تک نہیں پہنچی؛ روکی ہوئی رقم پھر آپ کی ہے۔

usual = عموماً { $p50 } میں جمع ہوتی ہے؛ 100 میں سے 95 بار { $p95 } میں۔
usual-cash = عموماً { $p50 } میں نقد لی جا سکتی ہے؛ 100 میں سے 95 بار { $p95 } میں۔
usual-by = متوقع زیادہ سے زیادہ وقت: { $when }۔
usual-late = معمول سے زیادہ وقت لگ رہا ہے۔
usual-source = اس راستے کی آخری { $count } ترسیلات کی پیمائش۔
usual-unknown = اس راستے سے حال میں بہت کم ترسیلات ہوئی ہیں، اس لیے وقت نہیں بتایا جا سکتا۔
usual-short = عموماً { $p50 } میں جمع ہوتی ہے۔
usual-short-cash = عموماً { $p50 } میں نقد لی جا سکتی ہے۔

where-title = رقم کہاں ہے؟
holder = رقم کس کے پاس ہے
since = کب سے
next = آگے کیا ہوگا
expected = کتنا وقت لگتا ہے

steps-title = قدم بہ قدم
step-done = مکمل
step-now = جاری
step-next = باقی
step-ended = ختم
event-received = { $debtor_agent } نے آپ کی ہدایت لے لی
event-pending = رقم الگ رکھ دی گئی، { $creditor_agent } کو پیش کی گئی
event-held = { $creditor_agent } جانچ کر رہا ہے
event-ledger_final = قبول ہوئی: رقم { $creditor_agent } کے پاس ہے
event-beneficiary_credited = وصول کنندہ کو جمع ہو گئی
event-collected = وصول کنندہ نے نقد رقم لے لی
event-accepted = { $creditor_agent } وصول کنندہ کو جمع کرے گا
event-ready = نقد رقم لینے کے لیے تیار ہے
event-blocked = { $creditor_agent } نے رقم روک دی
event-rejected = انکار ہوا، آپ کی رقم آزاد کر دی گئی
event-expired = وقت پر قبول نہیں ہوئی، آپ کی رقم آزاد کر دی گئی
event-cancelled = منسوخ ہوئی، آپ کی رقم آزاد کر دی گئی
event-burned = بھیجے بغیر بند کر دی گئی
event-recalled = { $debtor_agent } نے رقم واپس مانگی
event-recall_answered = { $creditor_agent } نے جواب دیا
event-returning = { $amount } کی رقم { $debtor_agent } کو واپس آئی
event-returned = { $amount } کی رقم آپ کو جمع ہوئی
coming-pending = { $creditor_agent } کو پیش ہوگی
coming-settled = { $creditor_agent } قبول کرے گا
coming-credited = وصول کنندہ کو جمع ہوگی
coming-collected = وصول کنندہ نقد رقم لے گا

costs-title = کل خرچ
sent = بھیجی گئی رقم
fee = فیس
total = آپ کی کل ادائیگی
arrives = پہنچنے والی رقم
rate = شرحِ تبادلہ
rate-value = { "\u2066" }1 { $source } = { $rate } { $destination }{ "\u2069" }
mid = بازار کی درمیانی شرح
mid-unknown = اس ترسیل کے لیے معلوم نہیں
spread = اس سے فرق، جو شرح میں شامل ہے
spread-value = { $amount } ({ $percent }%)
no-exchange = کوئی کرنسی تبدیل نہیں ہوئی۔

times = تمام اوقات: { $place }۔
updated = تازہ ترین: { $when }۔
reload = تازہ صورتِ حال دکھائیں
lasts = یہ لنک نام یا اکاؤنٹ نمبر نہیں دکھاتا اور ترسیل کے اختتام کے { $days } دن بعد بند ہو جاتا ہے۔

gone-title = یہ لنک کچھ نہیں دکھاتا
gone = لنک نامکمل ہو سکتا ہے یا بند ہو چکا ہے: لنک ترسیل کے { $days } دن بعد بند ہو جاتے ہیں۔ جس ایپ یا ادارے سے آپ نے رقم بھیجی، اس سے پوچھیں۔
slow-title = بہت زیادہ درخواستیں
slow = براہِ کرم ایک منٹ انتظار کریں، پھر کوشش کریں۔
down-title = ابھی دستیاب نہیں
down = آپ کی ترسیل متاثر نہیں ہوئی۔ براہِ کرم ایک منٹ بعد دوبارہ کوشش کریں۔
