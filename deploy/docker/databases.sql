-- One database a service; nobody shares tables.
CREATE DATABASE gateway;
CREATE DATABASE ingest;
CREATE DATABASE retriever;
CREATE DATABASE inference;
CREATE DATABASE agent;
CREATE DATABASE lab;
