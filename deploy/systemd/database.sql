-- The role and the database, if they are not there. The role has no password: PostgreSQL knows it by the user's name.
SELECT 'CREATE ROLE stemsvc LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stemsvc') \gexec
SELECT 'CREATE DATABASE stemsvc OWNER stemsvc' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'stemsvc') \gexec
