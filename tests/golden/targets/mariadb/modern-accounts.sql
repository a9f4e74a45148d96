-- Accounts that log in by certificate: the subject is compared as a whole.
-- Written by handfast. Certificates and CRLs are read when the program starts and when it reloads.

-- REQUIRE X509 would take any certificate below the roots for any account: always name the subject.
CREATE USER IF NOT EXISTS 'alice'@'%' IDENTIFIED BY '' REQUIRE SUBJECT '/CN=alice';

-- Accounts that need no certificate of a name; none but root and mariadb.sys should be left.
SELECT user, host, ssl_type FROM mysql.user WHERE ssl_type <> 'SPECIFIED';
