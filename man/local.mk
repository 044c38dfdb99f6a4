# man
dist_man_MANS += man/smtpd.8
dist_man_MANS += man/smtp.8
dist_man_MANS += man/cleanup.8
dist_man_MANS += man/local.8
dist_man_MANS += man/virtual.8
dist_man_MANS += man/bounce.8
dist_man_MANS += man/pickup.8
dist_man_MANS += man/error.8
dist_man_MANS += man/discard.8
dist_man_MANS += man/dns.8
dist_man_MANS += man/postdrop.1
dist_man_MANS += man/sendmail.1
dist_man_MANS += man/spool.8
dist_man_MANS += man/spool.5
