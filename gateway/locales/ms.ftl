# The tracking page in Malay.

language = Bahasa Melayu
languages = Bahasa
title = Kiriman wang anda
heading = { $amount } kepada { $name }
heading-nameless = { $amount } kepada penerima
amount = { $amount } { $currency }

# Between two sentences.
between = { " " }
place-HK = waktu Hong Kong
place-MY = waktu Kuala Lumpur
place-PH = waktu Manila
place-PK = waktu Karachi
place-UTC = UTC

month = { $month ->
        [1] Januari
        [2] Februari
        [3] Mac
        [4] April
        [5] Mei
        [6] Jun
        [7] Julai
        [8] Ogos
        [9] September
        [10] Oktober
        [11] November
       *[12] Disember
    }
moment-today = pada pukul { $time } { $place }
moment-date = pada { $day } { $month-name } { $year }, pukul { $time } { $place }
when-today = { $time } { $place }
when-date = { $day } { $month-name } { $year }, { $time } { $place }
seconds = { $count } saat
minutes = { $count } minit
hours = { $count } jam
days = { $count } hari

# Institutions without a name in the network.
debtor-agent = institusi anda
creditor-agent = institusi penerima
creditor = penerima
debtor = anda

# The one answer at the top.
answer-awaiting_approval = Menunggu kelulusan di { $debtor_agent }
answer-queued = Sedang dihantar
answer-pending = Menunggu { $creditor_agent }
answer-held = Sedang disemak oleh { $creditor_agent }
answer-settled = Di { $creditor_agent }, belum dikreditkan
answer-ready_to_collect = Sedia untuk diambil
answer-accepted = Di { $creditor_agent }, akan dikreditkan
answer-blocked = Disekat di { $creditor_agent }
answer-credited = Dikreditkan { $moment }
answer-collected = Diambil { $moment }
answer-recalled = Diminta kembali { $moment }
answer-returning = Dalam perjalanan kembali kepada anda
answer-returned = Dipulangkan kepada anda { $moment }
answer-rejected = Tidak dihantar: ditolak
answer-expired = Tidak dihantar: tidak diterima dalam masa
answer-cancelled = Dibatalkan
answer-burned = Tidak dihantar

# What happens next.
next-awaiting_approval = { $debtor_agent } akan meluluskan atau menolak kiriman ini. Tiada wang anda diambil sebelum itu.
next-queued = { $debtor_agent } menyerahkannya kepada rangkaian; ini mengambil beberapa saat.
next-pending = { $creditor_agent } menyemak kiriman ini lalu menerima atau menolaknya. Jika tiada jawapan sebelum { $deadline }, wang anda dilepaskan.
next-pending-open = { $creditor_agent } menyemak kiriman ini lalu menerima atau menolaknya.
next-held = { $creditor_agent } membuat keputusan selewat-lewatnya { $deadline }; jika tidak, wang anda dilepaskan. Anda tidak perlu berbuat apa-apa.
next-settled = Wang itu kini muktamad di { $creditor_agent }, yang akan mengkreditkan penerima.
next-ready_to_collect = Penerima boleh mengambil wang tunai. Wang itu ada di { $creditor_agent }.
next-accepted = { $creditor_agent } telah menerima wang itu dan akan mengkreditkan penerima selepas semakan selesai.
next-blocked = { $creditor_agent } tidak boleh membayarnya sekarang. Minta bantuan { $debtor_agent }.
next-credited = Tiada lagi. Wang telah sampai.
next-collected = Tiada lagi. Wang tunai telah diambil.
next-recalled = { $debtor_agent } telah meminta wang itu dikembalikan. { $creditor_agent } akan memutuskan; penerima mungkin perlu ditanya.
next-returning = { $debtor_agent } telah menerima { $returned } dan akan mengkreditkan anda.
next-returned = Tiada lagi. Anda telah menerima kembali { $returned }.
next-rejected = Tiada lagi. Tiada wang keluar dari { $debtor_agent }; wang yang diketepikan kembali milik anda.
next-expired = Tiada lagi. Tiada wang keluar dari { $debtor_agent }; wang yang diketepikan kembali milik anda. Anda boleh menghantar semula.
next-cancelled = Tiada lagi. Tiada wang keluar dari { $debtor_agent }; wang yang diketepikan kembali milik anda.
next-burned = Tiada lagi. Ia tidak sampai ke rangkaian; wang yang diketepikan kembali milik anda.

usual = Biasanya dikreditkan dalam { $p50 }; 95 daripada 100 dalam { $p95 }.
usual-cash = Biasanya sedia diambil dalam { $p50 }; 95 daripada 100 dalam { $p95 }.
usual-by = Dijangka sebelum { $when }.
usual-late = Lebih lambat daripada biasa.
usual-source = Diukur daripada { $count } kiriman terkini melalui laluan ini.
usual-unknown = Terlalu sedikit kiriman melalui laluan ini baru-baru ini untuk menyatakan tempohnya.
usual-short = Biasanya dikreditkan dalam { $p50 }.
usual-short-cash = Biasanya sedia diambil dalam { $p50 }.

where-title = Di mana wang itu?
holder = Wang ada pada
since = Sejak
next = Apa yang berlaku seterusnya
expected = Berapa lama

steps-title = Langkah demi langkah
step-done = Selesai
step-now = Sekarang
step-next = Akan datang
step-ended = Tamat
event-received = { $debtor_agent } menerima arahan anda
event-pending = Diketepikan, ditawarkan kepada { $creditor_agent }
event-held = { $creditor_agent } menyemaknya
event-ledger_final = Diterima: wang ada di { $creditor_agent }
event-beneficiary_credited = Penerima telah dikreditkan
event-collected = Penerima telah mengambil wang tunai
event-accepted = { $creditor_agent } akan mengkreditkan penerima
event-ready = Wang tunai sedia untuk diambil
event-blocked = { $creditor_agent } menyekatnya
event-rejected = Ditolak, wang anda dilepaskan
event-expired = Tidak diterima dalam masa, wang anda dilepaskan
event-cancelled = Dibatalkan, wang anda dilepaskan
event-burned = Ditutup tanpa dihantar
event-recalled = { $debtor_agent } meminta wang dikembalikan
event-recall_answered = { $creditor_agent } telah menjawab
event-returning = { $amount } kembali ke { $debtor_agent }
event-returned = { $amount } telah dikreditkan kepada anda
coming-pending = Ditawarkan kepada { $creditor_agent }
coming-settled = { $creditor_agent } menerima
coming-credited = Penerima dikreditkan
coming-collected = Penerima mengambil wang tunai

costs-title = Kos
sent = Jumlah dihantar
fee = Yuran
total = Jumlah anda bayar
arrives = Jumlah sampai
rate = Kadar pertukaran
rate-value = 1 { $source } = { $rate } { $destination }
mid = Kadar tengah pasaran
mid-unknown = Tidak diketahui untuk kiriman ini
spread = Beza dengannya, termasuk dalam kadar
spread-value = { $amount } ({ $percent }%)
no-exchange = Tiada mata wang ditukar.

times = Semua masa ialah { $place }.
updated = Setakat { $when }.
reload = Tunjukkan yang terkini
lasts = Pautan ini tidak menunjukkan nama atau nombor akaun dan tamat { $days } hari selepas kiriman selesai.

gone-title = Pautan ini tidak menunjukkan apa-apa
gone = Pautan mungkin tidak lengkap atau telah tamat: pautan tamat { $days } hari selepas kiriman. Tanya aplikasi atau institusi yang anda gunakan.
slow-title = Terlalu banyak permintaan
slow = Sila tunggu seminit, kemudian cuba lagi.
down-title = Tidak tersedia sekarang
down = Kiriman anda tidak terjejas. Sila cuba lagi dalam seminit.
